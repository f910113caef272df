"""The package itself: its types, its generated files, and the command it installs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jobs import MEMORY, RULES, SMILES

import molsieve
from molsieve import _daemon_answers, _manifest, _settings, _verb_answers

PYTHON = Path(__file__).parents[1]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=PYTHON, capture_output=True, text=True, check=False)


def test_types_and_style_have_no_fault() -> None:
    for command in ["mypy --no-incremental --cache-dir=/dev/null", "ruff check --no-cache .", "ruff format --check ."]:
        said = python("-m", *command.split())
        assert said.returncode == 0, said.stdout


def test_generated_files_are_up_to_date() -> None:
    said = python("generate.py", molsieve.program(), "--check")
    assert said.returncode == 0, said.stderr


def test_types_know_every_key_of_a_manifest() -> None:
    flags: Any = {"properties": True, "where": "mw < 500", "steps": 2, "explain_drops": 9, "clean": True}
    run = molsieve.run(SMILES, RULES, "out", **flags, memory=MEMORY)
    dedup = molsieve.dedup(SMILES, "distinct", duplicates=True, check=2, memory=MEMORY)
    for manifest in (run.manifest, dedup.manifest):
        for found, its in ((manifest, _manifest.Manifest), (manifest["counts"], _daemon_answers.Counts)):
            assert its.__required_keys__ <= set(found) <= its.__required_keys__ | its.__optional_keys__
    plan = molsieve.plan(SMILES, RULES, memory=MEMORY)
    assert set(plan) == {*_verb_answers.Planned.__annotations__, "event"}


def test_every_setting_is_a_flag_of_its_functions() -> None:
    for verb, settings in {"run": _settings.RunSettings, "dedup": _settings.DedupSettings}.items():
        known = {name for name, flag in _settings.FLAGS.items() if verb in flag.verbs}
        assert known == set(settings.__optional_keys__)


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "molsieve"], [str(Path(sys.executable).parent / "molsieve")]]
)
def test_the_command_is_the_program(command: list[str]) -> None:
    said = subprocess.run([*command, "key", "OCC"], capture_output=True, text=True, check=True).stdout
    assert said.split() == [molsieve.keys(["CCO"])[0].hex(), "OCC"]
    failed = subprocess.run([*command, "run", "-i", "missing.smi", "-o", "out"], capture_output=True, check=False)
    assert failed.returncode == 3


def test_starting_the_command_imports_nothing_heavy() -> None:
    code = "import json, sys, molsieve.__main__; print(json.dumps([name for name in sys.modules if '.' not in name]))"
    heavy = {"pyarrow", "numpy", "tqdm", "polars", "pandas", "rdkit"}
    assert not heavy & set(json.loads(python("-c", code).stdout))
