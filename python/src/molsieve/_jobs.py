"""Jobs: `run`, `dedup`, and what a job would do: `plan`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ._arguments import arguments, check_names, job_file
from ._errors import Failed, Interrupted, Stopped
from ._library import Inputs, Library, Rules, beside
from ._program import ask_json, follow
from ._progress import Bar
from ._run import Run
from ._settings import AnyPath, DedupSettings, RunSettings
from ._verb_answers import Difference, Planned

if TYPE_CHECKING:
    from typing_extensions import Unpack


def run(
    library: Library | None = None,
    rules: Rules | None = None,
    output: AnyPath | None = None,
    *,
    progress: bool = True,
    **settings: Unpack[RunSettings],
) -> Run:
    """Applies rules to a library and writes each distinct product once.

    `library` is a file, several files, a table of pandas, Polars or Arrow, or an iterable of SMILES. `rules` are
    files, SMIRKS by name, or a list of rules with the keys of a rule file; without rules the job cleans the library.
    `output` is a folder. The settings are the flags of `molsieve run`, with underscores.

    Rows that can't be used don't stop the job: `Run.rejects` has them. Ctrl-C stops it at a checkpoint and raises
    `Interrupted`; the same call with `resume=True` continues.

    >>> rules = {"o_methylation": "[c:1][OX2H:2]>>[c:1][O:2]C"}
    >>> run = molsieve.run(["Oc1ccccc1", "Oc1ccc(O)cc1"], rules, "methylated", memory="256MiB")
    >>> run.to_arrow()["smiles"].to_pylist()
    ['COc1ccccc1', 'COc1ccc(O)cc1']
    >>> run.manifest["counts"]["products_unique"]
    2
    """
    return job("run", library, rules, output, progress, settings)


def dedup(
    library: Library | None = None,
    output: AnyPath | None = None,
    *,
    progress: bool = True,
    **settings: Unpack[DedupSettings],
) -> Run:
    """Deduplicates a library: keeps the first record of each molecule as it is.

    The settings are the flags of `molsieve dedup`, with underscores.

    >>> run = molsieve.dedup(["OCC", "CCO", "CCN"], "distinct", memory="256MiB")
    >>> run.to_arrow()["smiles"].to_pylist()
    ['OCC', 'CCN']
    """
    return job("dedup", library, None, output, progress, settings)


def plan(library: Library, rules: Rules | None = None, **settings: Unpack[RunSettings]) -> Planned:
    """Says how many products a job would make, and its use of memory; writes nothing.

    The arguments are those of `run`.

    >>> plan = molsieve.plan(["Oc1ccccc1"], {"o_methylation": "[c:1][OX2H:2]>>[c:1][O:2]C"}, memory="256MiB")
    >>> plan["parents"], plan["products"], plan["memory"]["budget_bytes"] >> 20
    (1, 1, 256)
    """
    given = cast("Mapping[str, Any]", settings)
    check_names("run", given)
    with tempfile.TemporaryDirectory(prefix="molsieve-") as folder:
        inputs = Inputs(Path(folder) / "inputs")
        files = inputs.arguments(library, rules, job_file(given))
        return cast("Planned", ask_json(["plan", *files, *arguments(given)], inputs.rename)[0])


def diff(
    a: AnyPath | Run,
    b: AnyPath | Run,
    output: AnyPath | None = None,
    *,
    memory: int | str | None = None,
    threads: int | None = None,
) -> Difference:
    """Compares two outputs: what only one of them has, by key. `output` gets the rows that only one has.

    >>> a = molsieve.dedup(["CCO", "CCN"], "a", memory="256MiB")
    >>> b = molsieve.dedup(["OCC", "CCC", "CCCC"], "b", memory="256MiB")
    >>> difference = molsieve.diff(a, b)
    >>> difference["a"]["only"], difference["b"]["only"], difference["both"]
    (1, 2, 1)
    """
    flags = {"output": os.fspath(output) if output else None, "memory": memory, "threads": threads}
    given = [f"--{name}={value}" for name, value in flags.items() if value]
    return cast("Difference", ask_json(["diff", os.fspath(a), os.fspath(b), *given])[0])


def job(
    verb: str,
    library: Library | None,
    rules: Rules | None,
    output: AnyPath | None,
    progress: bool,
    settings: Any,
) -> Run:
    """Runs a job of the subcommand `verb`."""
    check_names(verb, settings)
    if output is None or os.fspath(output) == "-":
        raise TypeError(f"molsieve.{verb} needs a folder as output")
    if library is None and not settings.get("resume"):
        raise TypeError(f"molsieve.{verb} needs a library; only resume=True takes the one that the job was begun with")
    inputs = Inputs(beside(output), resume=bool(settings.get("resume")), overwrite=bool(settings.get("overwrite")))
    try:
        files = inputs.arguments(library, rules, job_file(settings))
        with Bar(progress) as bar:
            flags = [f"--output={os.fspath(output)}", *arguments(settings), "--json"]
            follow([verb, *files, *flags], bar.take, inputs.rename)
    except (Failed, Stopped, Interrupted):
        # The job can be resumed, and needs the files for that.
        raise
    except BaseException:
        inputs.remove_unused()
        raise
    inputs.remove()
    return Run(output)
