"""Libraries and rules from Python's memory, written as files that the program reads.

A job reads its library several times: to plan, to run, to resume. So a table is written as Parquet beside the output,
in `OUTPUT.inputs`, and removed when the job is done. A job that is resumed needs the same files.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ._arguments import JOB_FILE, text
from ._errors import UsageError
from ._settings import AnyPath, AnyPaths

if TYPE_CHECKING:
    import pyarrow as pa

Library: TypeAlias = "AnyPaths | Iterable[str] | Any"
"""A path, several paths, a table of pandas, Polars or Arrow, or SMILES."""
Rules: TypeAlias = "AnyPaths | Mapping[str, str] | Sequence[Mapping[str, Any]]"
"""Rule files, SMIRKS by name, or rules with the keys of a rule file."""

LIBRARY = "library.parquet"
RULES = "rules.json"
# SMILES of an iterable that are in memory at once.
BATCH_ROWS = 1 << 16
# Rows of a row group, which the program decodes at once.
ROW_GROUP_ROWS = 1 << 17
# The names of files of molecules end so; no SMILES does.
ENDINGS = (
    *(".parquet", ".pq", ".smi", ".smiles", ".ism", ".can", ".cxsmiles", ".txt", ".csv", ".tsv", ".sdf", ".sd"),
    *(".gz", ".bz2", ".xz", ".zst"),
)


class Inputs:
    """The files of a job: those of the caller, and those that are written for it into `folder`."""

    def __init__(self, folder: Path, *, resume: bool = False, overwrite: bool = False) -> None:
        self.folder = folder
        self.was_there = folder.exists()
        self.resume = resume
        self.overwrite = overwrite
        self.rename = {str(folder / LIBRARY): "the library", str(folder / RULES): "the rules"}
        self.rename[str(folder / JOB_FILE)] = "settings"

    def arguments(self, library: Library | None, rules: Rules | None, job_file: str) -> list[str]:
        """The arguments that name the files."""
        found = []
        if job_file:
            path = self._place(JOB_FILE).with_suffix("")
            path.write_text(job_file)
            found.append(str(path))
        found += [f"--input={path}" for path in self._library(library)]
        return found + [f"--rules={path}" for path in self._rules(rules)]

    def remove(self) -> None:
        """Removes the files that were written, when the job is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_unused(self) -> None:
        """Removes them after a job that was refused, unless an earlier job was begun with them."""
        if not self.was_there:
            self.remove()

    def _place(self, name: str) -> Path:
        """Where to write a file. A file of an earlier job is only replaced if that is asked for."""
        if self.was_there and not (self.resume or self.overwrite):
            what = f"{self.folder} holds the library or the rules of a job that has not ended"
            raise UsageError(what, "resume=True continues that job, overwrite=True replaces it")
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.new"

    def _publish(self, path: Path, what: str) -> str:
        """Gives a file its name. That of a job that is resumed must be the same as before."""
        final = path.with_suffix("")
        if self.resume and final.exists() and not filecmp.cmp(path, final, shallow=False):
            path.unlink()
            raise UsageError(f"{what} differ from those that the job was begun with", "overwrite=True begins anew")
        path.replace(final)
        return str(final)

    def _library(self, library: Library | None) -> Iterator[str]:
        if library is None:
            return
        if isinstance(library, (str, os.PathLike)):
            yield os.fspath(library)
            return
        if not is_table(library):
            first, library = peek(library)
            if isinstance(first, os.PathLike) or is_path(first):
                yield from (os.fspath(path) for path in library)
                return
        path = self._place(LIBRARY)
        try:
            write_parquet(library, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        yield self._publish(path, "the molecules")

    def _rules(self, rules: Rules | None) -> Iterator[str]:
        if rules is None:
            return
        if isinstance(rules, (str, os.PathLike)):
            yield os.fspath(rules)
        elif not isinstance(rules, Mapping) and any(isinstance(rule, (str, os.PathLike)) for rule in rules):
            yield from (text(path) for path in rules)
        else:
            path = self._place(RULES)
            path.write_text(rules_text(rules))
            yield self._publish(path, "the rules")


def beside(output: AnyPath) -> Path:
    """The folder for the files of a job with this output."""
    return Path(f"{os.fspath(output).rstrip('/')}.inputs")


def is_path(item: Any) -> bool:
    """Whether an item of a list names a file of molecules; else it is a SMILES."""
    return isinstance(item, str) and (item.lower().endswith(ENDINGS) or os.path.isdir(item))


def peek(items: Iterable[Any]) -> tuple[Any, Iterator[Any]]:
    """The first item, and all of them."""
    rest = iter(items)
    first = next(rest, None)
    return first, iter(()) if first is None else chain([first], rest)


def is_table(library: Any) -> bool:
    """Whether this is a table of pandas, Polars or Arrow, or a column of one."""
    module = type(library).__module__.partition(".")[0]
    return module in ("pandas", "polars", "pyarrow") or hasattr(library, "__arrow_c_stream__")


def write_parquet(library: Any, path: Path) -> None:
    """Writes a table, or a column of SMILES. An iterable is written in batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if hasattr(library, "sink_parquet"):
        library.sink_parquet(path)
        return
    if is_table(library):
        table = table_of(library)
        pq.write_table(table, path, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
        return
    schema = pa.schema([("smiles", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        rows = 0
        while batch := list(islice(library, BATCH_ROWS)):
            writer.write_batch(pa.record_batch([strings(batch, rows)], schema=schema))
            rows += len(batch)


def strings(batch: list[Any], row: int) -> pa.Array:
    """A batch of SMILES; None is a row without one, which the job rejects."""
    import pyarrow as pa

    for at, item in enumerate(batch):
        if not isinstance(item, str) and item is not None:
            raise TypeError(f"item {row + at} of the library is {type(item).__name__}, and a SMILES is str: {item!r}")
    return pa.array(batch, pa.string())


def table_of(library: Any) -> pa.Table:
    """A table, or a column as a table, in Arrow. Columns of Python objects are written only where Arrow takes them."""
    import pyarrow as pa

    if isinstance(library, (pa.Array, pa.ChunkedArray)):
        return pa.table({"smiles": library})
    if isinstance(library, pa.RecordBatch):
        return pa.Table.from_batches([library])
    if isinstance(library, pa.Table):
        return library
    module = type(library).__module__.partition(".")[0]
    if module == "pandas":
        frame = library if hasattr(library, "columns") else library.to_frame("smiles")
        return pa.Table.from_pandas(frame, preserve_index=False)
    if module == "polars":
        frame = library if hasattr(library, "columns") else library.rename("smiles").to_frame()
        return frame.to_arrow()
    return pa.table(library)


def rules_text(rules: Mapping[str, Any] | Sequence[Any]) -> str:
    """Rules as JSON. Files of reagents are absolute, because the rules are written elsewhere."""
    if isinstance(rules, Mapping):
        return json.dumps(dict(rules), ensure_ascii=False, indent=1) + "\n"
    return json.dumps([with_absolute_reagents(rule) for rule in rules], ensure_ascii=False, indent=1) + "\n"


def with_absolute_reagents(rule: Any) -> dict[str, Any]:
    if not isinstance(rule, Mapping):
        raise TypeError(
            f"a rule is a file, or a mapping with the keys of a rule file, and this is {type(rule).__name__}"
        )
    copy = dict(rule)
    if isinstance(copy.get("reagents"), Mapping):
        copy["reagents"] = {
            str(number): os.path.abspath(file) if os.path.exists(file) else file
            for number, file in copy["reagents"].items()
        }
    return copy
