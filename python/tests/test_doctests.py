"""The examples in the docstrings of the installed package."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import molsieve

MODULES = ["molsieve", *(module.name for module in pkgutil.walk_packages(molsieve.__path__, "molsieve."))]
EXAMPLES = [
    pytest.param(test, id=test.name)
    for name in MODULES
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_prints_what_it_shows(example: doctest.DocTest, daemon: Path) -> None:
    example.globs.update(molsieve=molsieve, daemon=daemon)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(example, clear_globs=False)
    assert runner.summarize().failed == 0


def test_every_public_function_has_an_example() -> None:
    named = {param.values[0].name.rpartition(".")[2] for param in EXAMPLES}  # type: ignore[attr-defined]
    functions = {"run", "dedup", "plan", "diff", "keys", "program", "open_run", "check"}
    assert functions | {"Client", "AsyncClient", "Run", "Error", "route", "export", "scan", "watch"} <= named
