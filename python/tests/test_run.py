"""Jobs from Python: libraries and rules of every kind, the same bytes as from the command line, and settings."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import MEMORY, RULES, SMILES, command_line, parts, rule_file

import molsieve

IDS = ["a", "b", "c", "d"]
COLUMNS = {"smiles": SMILES, "id": IDS}


def by_command_line(library: str) -> dict[str, str]:
    assert command_line("run", "-i", library, "-r", rule_file(), "-o", "expected", "--memory", MEMORY) == 4
    return parts("expected")


@pytest.mark.parametrize(
    "library",
    [
        lambda: pd.DataFrame(COLUMNS),
        lambda: pd.DataFrame(COLUMNS).astype({"smiles": "category"}),
        lambda: pl.DataFrame(COLUMNS),
        lambda: pl.DataFrame(COLUMNS).lazy(),
        lambda: pa.table(COLUMNS),
        lambda: pa.table(COLUMNS).to_batches()[0],
        lambda: pa.RecordBatchReader.from_batches(pa.table(COLUMNS).schema, pa.table(COLUMNS).to_batches()),
    ],
    ids=["pandas", "pandas-category", "polars", "polars-lazy", "arrow", "arrow-batch", "arrow-stream"],
)
def test_a_table_gives_the_bytes_of_the_command_line(library: Callable[[], Any]) -> None:
    with Path("library.csv").open("w") as file:
        csv.writer(file).writerows([COLUMNS, *zip(SMILES, IDS, strict=True)])
    expected = by_command_line("library.csv")
    run = molsieve.run(library(), RULES, "out", memory=MEMORY)
    assert parts(run) == expected
    assert not Path("out.inputs").exists()


@pytest.mark.parametrize(
    "library",
    [
        list,
        tuple,
        iter,
        np.array,
        pd.Series,
        pl.Series,
        pa.array,
        lambda smiles: pa.chunked_array([smiles[:1], smiles[1:]]),
        lambda smiles: (one for one in smiles),
    ],
)
def test_smiles_give_the_bytes_of_the_command_line(library: Callable[[list[str]], Any]) -> None:
    Path("library.csv").write_text("\n".join(["smiles", *SMILES, ""]))
    expected = by_command_line("library.csv")
    run = molsieve.run(library(SMILES), rule_file(), "out", memory=MEMORY)
    assert parts(run) == expected


def test_files_are_named_by_path_or_by_their_ending() -> None:
    Path("one.smi").write_text("Oc1ccccc1\n")
    Path("two.smi").write_text("Oc1ccc(O)cc1\n")
    expected = molsieve.run(["one.smi", "two.smi"], None, "a", memory=MEMORY)
    assert expected.manifest["counts"]["parents_read"] == 2
    assert parts(molsieve.run([Path("one.smi"), Path("two.smi")], None, "b", memory=MEMORY)) == parts(expected)
    assert parts(molsieve.run(Path.cwd().glob("t*.smi"), None, "c", memory=MEMORY)) != parts(expected)
    assert molsieve.run("one.smi", [rule_file()], Path("d"), memory=MEMORY).manifest["rules"] == 2


def test_an_iterable_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is written before the next one is taken."""
    monkeypatch.setattr("molsieve._library.BATCH_ROWS", 4)
    written = []
    held: list[int] = []
    whole = pq.ParquetWriter.write_batch

    def write_batch(writer: Any, batch: Any) -> None:
        written.append(len(batch))
        whole(writer, batch)

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", write_batch)

    def smiles() -> Any:
        for length in range(1, 13):
            held.append(length - sum(written))
            yield "C" * length

    assert molsieve.run(smiles(), None, "out", memory=MEMORY).manifest["counts"]["products_unique"] == 12
    assert max(held) == 4 and written == [4, 4, 4]


def test_a_million_rows_of_polars_are_a_library() -> None:
    carbon_and_nitrogen = ["".join(letters) for letters in itertools.product("CN", repeat=10)]
    smiles = (carbon_and_nitrogen * 977)[:1_000_000]
    frame = pl.DataFrame({"smiles": smiles, "id": range(1_000_000)})
    run = molsieve.dedup(frame, "out", memory=MEMORY)
    counts = run.manifest["counts"]
    assert counts["parents_read"] == 1_000_000
    # A chain and its mirror image are one molecule.
    assert counts["products_unique"] == (2**10 + 2**5) // 2
    assert run.manifest["inputs"][0]["format"] == "Parquet"


def test_rules_are_a_mapping_a_list_or_files() -> None:
    as_list = [{"name": name, "smirks": smirks, "tags": ["test"]} for name, smirks in RULES.items()]
    expected = parts(molsieve.run(SMILES, rule_file(), "a", memory=MEMORY))
    assert parts(molsieve.run(SMILES, RULES, "b", memory=MEMORY)) == expected
    assert parts(molsieve.run(SMILES, as_list, "c", memory=MEMORY)) == expected
    assert parts(molsieve.run(SMILES, ["rules.toml"], "d", memory=MEMORY)) == expected


def test_reagents_of_a_rule_are_found_from_the_current_folder() -> None:
    Path("amines.smi").write_text("CN methylamine\n")
    smirks = "[C:1](=[O:2])[OH].[NX3;H2:3]>>[C:1](=[O:2])[N:3]"
    rule = {"name": "amide", "smirks": smirks, "reagents": {2: "amines.smi"}}
    run = molsieve.run(["CC(=O)O"], [rule], "out", memory=MEMORY)
    assert run.to_arrow()["smiles"].to_pylist() == ["CNC(C)=O"]
    assert str(run.route("CNC(=O)C")).endswith("amide, site 0 + CN (methylamine)")


def test_settings_reach_the_job() -> None:
    run = molsieve.run(
        pa.table({"structure, drawn": SMILES, "name": IDS, "price, EUR": [1.0, 2.0, 3.0, 4.0]}),
        RULES,
        "out",
        smiles_column="structure, drawn",
        keep_columns=["price, EUR"],
        properties=["mw", "hbd"],
        where=["mw <= 130", "hbd < 2"],
        threads=1,
        new_only=True,
        chemistry=None,
        memory=256 << 20,
    )
    table = run.to_arrow()
    assert table.column_names[-3:] == ["mw", "hbd", "price, EUR"]
    assert table["parent_id"].to_pylist() == ["a", "a", "a", "a", "b"]
    assert run.manifest["threads"] == 1
    assert [one["filter"] for one in run.manifest["by_filter"]] == ["where mw <= 130", "where hbd < 2"]


def test_steps_have_rules_of_their_own() -> None:
    Path("second.json").write_text('{"chlorination": "[cH:1]>>[c:1]Cl"}')
    steps: Any = [{"rules": rule_file()}, {"rules": ["second.json"], "where": "mw > 100"}]
    run = molsieve.run(["Oc1ccccc1"], None, "out", step=steps, memory=MEMORY)
    assert [[rule["name"] for rule in step["by_rule"]] for step in run.manifest["steps"]] == [
        ["o_methylation", "fluorination"],
        ["chlorination"],
    ]


def test_a_run_is_opened_and_read_in_every_way() -> None:
    made = molsieve.run(SMILES, RULES, "out", memory=MEMORY)
    run = molsieve.open("out")
    assert run.manifest == made.manifest
    table = run.to_arrow()
    assert table.num_rows == run.manifest["counts"]["products_unique"] == 6
    assert run.to_pandas()["smiles"].tolist() == table["smiles"].to_pylist()
    assert run.to_polars()["smiles"].to_list() == table["smiles"].to_pylist()
    by_rule = run.scan().filter(pl.col("rule") == "fluorination").collect()
    assert by_rule.height == run.manifest["by_rule"][1]["unique"]
    assert run.rejects().select(["row", "text", "code"]).to_pylist() == [{"row": 2, "text": "CC(C", "code": "syntax"}]
    assert run.drops().num_rows == run.duplicates().num_rows == 0
    assert [file.name for file in run.files] == ["part-00000.parquet"]


def test_an_output_without_rows_is_a_table_too() -> None:
    run = molsieve.run(["CC"], RULES, "out", memory=MEMORY)
    assert run.to_arrow().num_rows == run.to_polars().height == run.rejects().num_rows == 0
    assert run.rejects().column_names == ["row", "id", "text", "reason", "code"]


def test_a_notebook_shows_counts_and_structures() -> None:
    run = molsieve.run(SMILES, RULES, "out", memory=MEMORY)
    html = run._repr_html_()
    assert "<td>unique</td><td style='text-align:right'>6</td>" in html
    assert html.count("<svg") == 6 and "1 syntax" in html


def test_a_notebook_without_rdkit_shows_smiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)
    html = molsieve.run(["Oc1ccccc1"], RULES, "<out>", memory=MEMORY)._repr_html_()
    assert "<code>COc1ccccc1</code>" in html and "&lt;out&gt;" in html and "<svg" not in html


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = molsieve.dedup(SMILES, "out", memory=MEMORY)
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for read in (run.scan, run.to_polars, run.to_pandas):
        with pytest.raises(ImportError, match=r"this needs (polars|pandas); install it with pip install \1"):
            read()


def test_exports_are_returned() -> None:
    run = molsieve.run(SMILES, RULES, "out", memory=MEMORY)
    table = run.export("products.csv", columns=["smiles", "rule"])
    assert pd.read_csv(table)["smiles"].tolist() == run.to_arrow()["smiles"].to_pylist()
    folder = run.export(format="smi.gz")
    assert folder == Path("out/export-smi.gz") and [file.name for file in folder.iterdir()] == ["part-00000.smi.gz"]
    assert molsieve.open("out").export(format="smi.gz", overwrite=True) == folder


def test_parts_of_text_say_how_they_are_read() -> None:
    run = molsieve.run(SMILES, RULES, "out", format="smi", memory=MEMORY)
    with pytest.raises(molsieve.UsageError, match="the parts are not Parquet"):
        run.to_arrow()
    assert ">6<" in run._repr_html_()


def test_duplicates_are_read() -> None:
    run = molsieve.dedup(SMILES, "out", duplicates=True, memory=MEMORY)
    assert run.duplicates().num_rows == 1


def test_every_shortest_route_is_found() -> None:
    Path("one.smi").write_text("Oc1ccccc1 phenol\n")
    run = molsieve.run("one.smi", rule_file(), "out", steps=2, memory=MEMORY)
    routes = run.routes("COc1ccccc1F")
    assert [[step.rule for step in route.steps] for route in routes] == [
        ["o_methylation", "fluorination"],
        ["fluorination", "o_methylation"],
    ]
    assert run.route("COc1ccccc1F") in routes


def test_outputs_are_compared() -> None:
    a = molsieve.run(SMILES[:1], RULES, "a", memory=MEMORY)
    molsieve.run(SMILES, RULES, "b", memory=MEMORY)
    difference = molsieve.diff(a, "b", "only", memory=MEMORY)
    assert (difference["a"]["only"], difference["b"]["only"], difference["both"]) == (0, 2, 4)
    assert pq.read_table("only/only-in-b.parquet").num_rows == 2


def test_progress_is_shown_and_can_be_switched_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molsieve._progress.DELAY_SECONDS", 0)
    molsieve.run(SMILES, RULES, "a", memory=MEMORY)
    assert "6 unique" in capsys.readouterr().err
    molsieve.run(SMILES, RULES, "b", memory=MEMORY, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_report_is_a_page_that_names_what_the_run_made() -> None:
    run = molsieve.run(SMILES, RULES, "a", memory=MEMORY)
    page = run.report()
    assert page == Path("a/report.html")
    assert "\\u003csvg" in page.read_text()
    other = molsieve.run(SMILES[:2], RULES, "b", memory=MEMORY)
    compared = run.report("both.html", compared_with=other, memory="256MiB")
    assert '"difference":{' in compared.read_text()
    with pytest.raises(molsieve.Error, match=r"both\.html"):
        run.report("both.html")
    assert run.report("both.html", overwrite=True).stat().st_size > 10_000
