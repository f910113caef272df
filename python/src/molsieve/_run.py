"""A finished run: its files as tables, its counts, and how its products were made."""

from __future__ import annotations

import importlib
import json
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ._errors import Error, UsageError
from ._manifest import Manifest
from ._program import ask, ask_json
from ._settings import AnyPath, Coordinates, Format

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

MANIFEST = "manifest.json"
# Newest schema of the manifest that this package knows.
SCHEMA_VERSION = 2


def open_run(path: AnyPath) -> Run:
    """Opens the output of a finished run.

    >>> _ = molsieve.dedup(["CCO", "OCC"], "distinct", memory="256MiB")
    >>> molsieve.open("distinct").manifest["counts"]["products_unique"]
    1
    """
    return Run(path)


class Run:
    """The output of a finished run. `run` and `dedup` return it, and `open` opens one.

    >>> run = molsieve.dedup(["CCO", "OCC", "C(C"], "distinct", memory="256MiB")
    >>> run
    <molsieve.Run distinct: 1 unique, 1 rejected>
    >>> run.rejects()["code"].to_pylist()
    ['syntax']
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)
        """The output folder."""
        self.manifest: Manifest = read_manifest(self.path)
        """The counts of every kind, the files and the settings that matter, as in manifest.json."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        counts = self.manifest["counts"]
        rejected = f", {counts['parents_rejected']:,} rejected" if counts["parents_rejected"] else ""
        return f"<molsieve.Run {self.path}: {counts['products_unique']:,} unique{rejected}>"

    def _repr_html_(self) -> str:
        from ._html import page

        return page(self)

    @cached_property
    def files(self) -> list[Path]:
        """The parts with the products."""
        return [self.path / file["name"] for file in self.manifest["files"]]

    def _parts(self) -> list[str]:
        """The parts, if they are Parquet."""
        if any(file.suffix != ".parquet" for file in self.files):
            raise UsageError(f"{self.path}: the parts are not Parquet", 'export("all.parquet") writes them as Parquet')
        return [str(file) for file in self.files]

    def scan(self) -> polars.LazyFrame:
        """The products as a Polars LazyFrame, which reads only what a query needs. Needs Polars.

        >>> import polars as pl
        >>> run = molsieve.run(["Oc1ccccc1"], {"bromination": "[cH:1]>>[c:1]Br"}, "out", properties=["mw"])
        >>> run.scan().filter(pl.col("mw") < 200).select("smiles").collect().height
        3
        """
        return cast("polars.LazyFrame", needed("polars").scan_parquet(self._parts()))

    def to_polars(self) -> polars.DataFrame:
        """The products as a Polars DataFrame. Needs Polars."""
        return self.scan().collect()

    def to_arrow(self) -> pa.Table:
        """The products as an Arrow table."""
        return read_parquet(self._parts())

    def to_pandas(self) -> pandas.DataFrame:
        """The products as a pandas DataFrame. Needs pandas."""
        needed("pandas")
        return cast("pandas.DataFrame", self.to_arrow().to_pandas())

    def rejects(self) -> pa.Table:
        """The rows that can't be used, with row number, id, text, reason and code; empty if there are none."""
        return self._other("rejects", REJECTS)

    def drops(self) -> pa.Table:
        """The sample of what filters left out, of a job with `explain_drops`; empty if there is none."""
        return self._other("drops", [])

    def duplicates(self) -> pa.Table:
        """Which rows were merged into which, of `dedup` with `duplicates=True`; empty if there are none."""
        return self._other("duplicates", [])

    def _other(self, key: str, columns: list[tuple[str, str]]) -> pa.Table:
        import pyarrow as pa

        file = cast("dict[str, Any]", self.manifest).get(key)
        if file is None:
            return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns]).empty_table()
        return read_parquet([str(self.path / file["name"])])

    def route(self, smiles: str) -> Route:
        """The way from a molecule of the library to a product, rule by rule. `smiles` is any SMILES of the product.

        >>> rules = {"chlorination": "[cH:1]>>[c:1]Cl"}
        >>> run = molsieve.run(["c1ccccc1"], rules, "two-steps", steps=2, memory="256MiB")
        >>> print(run.route("Clc1ccccc1Cl"))
        library  c1ccccc1  0, row 0
        step 1   Clc1ccccc1  chlorination, site 0
        step 2   Clc1ccccc1Cl  chlorination, site 0
        """
        return Route.of(ask_json(["route", os.fspath(self), smiles])[0])

    def routes(self, smiles: str) -> list[Route]:
        """Every shortest way to a product, not only the one that made the row. This takes as long as the run, and needs
        its library and its rules as files."""
        return [Route.of(way) for way in ask_json(["route", os.fspath(self), smiles, "--all"])]

    def report(
        self,
        output: AnyPath | None = None,
        *,
        compared_with: AnyPath | Run | None = None,
        memory: int | str | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes a page about the run: counts, plots, and structures beside their parents. Returns the file, which any
        browser opens; without `output` it is report.html in the output folder. With `compared_with`, the page says what
        only one of the two runs has.

        >>> run = molsieve.run(["Oc1ccccc1"], {"bromination": "[cH:1]>>[c:1]Br"}, "out", memory="256MiB")
        >>> run.report().name
        'report.html'
        """
        others = [] if compared_with is None else [os.fspath(compared_with)]
        flags = {"memory": memory, "output": None if output is None else os.fspath(output)}
        given = [f"--{name}={value}" for name, value in flags.items() if value]
        given += ["--overwrite"] if overwrite else []
        said = ask(["report", os.fspath(self), *others, *given])
        if output is not None:
            return Path(output)
        return Path(re.split(r": [\d.]+ [KMG]iB with ", said)[0])

    def export(
        self,
        output: AnyPath | None = None,
        *,
        format: Format | None = None,
        columns: list[str] | None = None,
        step: int | None = None,
        coordinates: Coordinates | None = None,
        canonical: bool = False,
        part_size: int | str | None = None,
        threads: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes the rows as SMILES, CSV, SDF or Parquet, or with other columns. Returns the file or the folder.

        >>> run = molsieve.dedup(["CCO", "CCN"], "distinct", memory="256MiB")
        >>> run.export("distinct.smi").read_text().split()
        ['CCO', '0', 'CCN', '1']
        """
        flags = {"format": format, "columns": ",".join(columns or ()), "step": step, "coordinates": coordinates}
        flags |= {"part-size": part_size, "threads": threads, "output": None if output is None else os.fspath(output)}
        given = [f"--{name}={value}" for name, value in flags.items() if value]
        given += [f"--{name}" for name, value in {"canonical": canonical, "overwrite": overwrite}.items() if value]
        said = ask(["export", os.fspath(self), *given])
        if output is not None:
            return Path(output)
        return Path(re.split(r": [\d,]+ rows?, ", said)[0])


@dataclass(frozen=True)
class Reagent:
    """A reagent of a step."""

    id: str
    smiles: str


@dataclass(frozen=True)
class Step:
    """A step of a route: the rule that was applied, at which site, and what was made."""

    step: int
    rule: str
    site: int
    smiles: str
    reagents: list[Reagent] = field(default_factory=list)

    def __str__(self) -> str:
        added = "".join(f" + {reagent.smiles} ({reagent.id})" for reagent in self.reagents)
        return f"step {self.step}   {self.smiles}  {self.rule}, site {self.site}{added}"


@dataclass(frozen=True)
class Route:
    """The way from a molecule of the library to a product."""

    row: int
    """Row of the molecule in the library, from 0."""
    id: str
    smiles: str
    steps: list[Step]

    @classmethod
    def of(cls, way: dict[str, Any]) -> Route:
        """A route as the program prints it."""
        steps = [
            Step(**{**step, "reagents": [Reagent(**reagent) for reagent in step.get("reagents", [])]})
            for step in way["steps"]
        ]
        return cls(**way["root"], steps=steps)

    def __str__(self) -> str:
        return "\n".join([f"library  {self.smiles}  {self.id}, row {self.row}", *map(str, self.steps)])


REJECTS = [("row", "uint64"), ("id", "string"), ("text", "string"), ("reason", "string"), ("code", "string")]


def needed(module: str) -> Any:
    """A module that the package does not depend on."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"this needs {module}; install it with pip install {module}", name=module) from error


def read_parquet(files: list[str]) -> pa.Table:
    """The rows of several files in their order."""
    import pyarrow.dataset as ds

    return ds.dataset(files, format="parquet").to_table()


def read_manifest(path: Path) -> Manifest:
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: holds no {MANIFEST}, so no run is complete there") from None
    except ValueError as error:
        raise Error(f"{path / MANIFEST}: cannot read this manifest: {error}") from error
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise Error(f"{path / MANIFEST}: a newer molsieve wrote this manifest", "install that version")
    return cast("Manifest", manifest)
