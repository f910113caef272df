"""Compares the numbers of `molsieve report --json` with the manifest, and with what DuckDB and RDKit find in the parts.

usage: report.py REPORT.json DIR [DIR2]

Prints `equal`, or every difference, and then ends with 1.
"""

import json
import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import duckdb
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem, Crippen, rdMolDescriptors

ROWS_SAMPLED = 8192
ROWS_COMPUTED = 2048
ADDED = "#99E099"
PROPERTIES = {
    "mw": rdMolDescriptors._CalcMolWt,
    "clogp": Crippen.MolLogP,
    "tpsa": rdMolDescriptors.CalcTPSA,
    "hbd": rdMolDescriptors.CalcNumHBD,
    "hba": rdMolDescriptors.CalcNumHBA,
    "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds,
    "fraction_csp3": rdMolDescriptors.CalcFractionCSP3,
    "stereo_centres": rdMolDescriptors.CalcNumAtomStereoCenters,
}

differences = []


def same(what, found, expected):
    if found != expected:
        differences.append(f"{what}: {found!r}, expected {expected!r}")


def close(what, found, expected):
    if not math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9):
        differences.append(f"{what}: {found!r}, expected {expected!r}")


def rows_of(directory):
    """All rows, in the order of the parts, as dictionaries."""
    parts = [str(Path(directory) / file["name"]) for file in manifest_of(directory)["files"]]
    rows = []
    for part in parts:
        table = duckdb.sql(f"select * exclude (k) from (select *, file_row_number k from "
                           f"read_parquet('{part}', file_row_number = true)) order by k")
        names = table.columns
        rows += [dict(zip(names, row)) for row in table.fetchall()]
    return rows


def manifest_of(directory):
    return json.loads((Path(directory) / "manifest.json").read_text())


def check_funnel(run, manifest):
    counts = manifest["counts"]
    stages = {stage["label"]: stage for stage in run["funnel"]}
    same("rows read", stages["rows read"]["count"], counts["parents_read"])
    last = run["funnel"][-1]
    same("last stage", last["count"], counts["products_unique"])
    for stage, following in zip(run["funnel"], run["funnel"][1:]):
        if stage["unit"] == following["unit"]:
            lost = sum(loss["count"] for loss in stage["losses"])
            same(f"losses of {stage['label']}", lost, stage["count"] - following["count"])
    if "products made" in stages:
        same("parents transformed", stages["parents transformed"]["count"], counts["parents_transformed"])
        same("products made", stages["products made"]["count"], counts["products_made"])
        by_label = {loss["label"].split()[0]: loss["count"] for loss in stages["products made"]["losses"]}
        same("invalid", by_label.get("invalid:", 0), counts["products_invalid"])
        same("equal to their parent", by_label.get("equal", 0), counts["products_unchanged"])
        same("filtered", by_label.get("left", 0), counts["products_filtered"])
        same("capped", by_label.get("beyond", 0), counts["products_capped"])


def check_histograms(run, rows):
    number = min(len(rows), ROWS_SAMPLED)
    sampled = [rows[i * len(rows) // number] for i in range(number)]
    same("rows of the sample", run["sample"]["rows"], number)
    same("rows of the run", run["sample"]["of"], len(rows))
    for histogram in run["properties"]:
        name = histogram["name"]
        if histogram["computed"]:
            some = sampled[:: max(1, -(-len(sampled) // ROWS_COMPUTED))]
            values = sorted(PROPERTIES[name](Chem.MolFromSmiles(row["smiles"])) for row in some)
        else:
            values = sorted(row[name] for row in sampled)
        same(f"rows of {name}", histogram["rows"], len(values))
        close(f"min of {name}", histogram["min"], values[0])
        close(f"max of {name}", histogram["max"], values[-1])
        close(f"mean of {name}", histogram["mean"], sum(values) / len(values))
        middle = len(values) // 2
        close(f"median of {name}", histogram["median"], (values[middle] + values[-middle - 1]) / 2)
        for place, bin in enumerate(histogram["bins"]):
            width = bin["to"] - bin["from"]
            inside = [v for v in values if bin["from"] - 1e-9 * width <= v < bin["to"] - 1e-9 * width]
            if abs(len(inside) - bin["count"]) > 0:
                differences.append(f"bin {place} of {name}: {bin['count']}, expected {len(inside)}")
        same(f"bins of {name}", sum(bin["count"] for bin in histogram["bins"]), len(values))


def added_atoms(smirks, structure):
    """Atoms of the product that RDKit's runner has not taken from the parent; None if it does not make the product."""
    reaction = AllChem.ReactionFromSmarts(smirks)
    parent = Chem.MolFromSmiles(structure["parent_smiles"])
    for outcome in reaction.RunReactants((parent,), 100_000):
        for product in outcome:
            try:
                Chem.SanitizeMol(product)
            except ValueError:
                continue
            if Chem.MolToSmiles(product) == structure["smiles"]:
                return sum(not atom.HasProp("react_atom_idx") for atom in product.GetAtoms())
    return None


def check_gallery(run, rows, smirks):
    made = {(row.get("step", 1), row["rule"]) for row in rows if row.get("rule")}
    shown = {(structure["step"], structure["rule"]) for structure in run["gallery"]}
    if len(made) <= 240 and run["manifest"]["rules"]:
        same("rules that are shown", shown, made)
    for structure in run["gallery"]:
        what = f"row {structure['row']}"
        row = rows[structure["row"]]
        same(f"{what}: smiles", structure["smiles"], row["smiles"])
        if run["manifest"]["rules"]:
            for name in ("rule", "site", "parent_row", "parent_id", "parent_smiles"):
                same(f"{what}: {name}", structure[name], row[name])
        for name, value in structure["properties"].items():
            expected = row[name] if name in row else PROPERTIES[name](Chem.MolFromSmiles(row["smiles"]))
            close(f"{what}: {name}", value, expected)
        for svg in filter(None, (structure["svg"], structure["parent_svg"])):
            ElementTree.fromstring(svg)
        if structure["rule"] in smirks and structure["highlighted"]:
            expected = added_atoms(smirks[structure["rule"]], structure)
            ellipses = re.findall(rf"<ellipse[^>]*fill:{ADDED}", structure["svg"])
            same(f"{what}: added atoms of {structure['rule']}", len(ellipses), expected)


def check_tables(run, directory):
    for name, key in (("rejects.parquet", "rejects"), ("drops.parquet", "drops")):
        path = Path(directory) / name
        listed = run[key]["examples"] if key == "rejects" else run[key]
        if not path.exists():
            same(name, listed, [])
            continue
        table = duckdb.sql(f"select * from read_parquet('{path}')")
        rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
        if key == "rejects":
            same("rejects", run[key]["rows"], len(rows))
        for example in listed:
            if not any(all(row[field] == value for field, value in example.items()) for row in rows):
                differences.append(f"{name} has no row {example}")


def check_run(run, directory):
    manifest = manifest_of(directory)
    same("manifest", run["manifest"], manifest)
    same("settings", run["settings"], (Path(directory) / "job.toml").read_text())
    check_funnel(run, manifest)
    check_tables(run, directory)
    return rows_of(directory)


def smirks_of(directory):
    """Rules that RDKit can be asked about with their SMIRKS alone."""
    import tomllib

    job = tomllib.loads((Path(directory) / "job.toml").read_text())
    smirks = {}
    for file in job.get("rules", []):
        rules = tomllib.loads((Path(directory) / file).read_text())["rule"]
        plain = (rule for rule in rules if not {"exclude", "add_hydrogens", "reagents"} & rule.keys())
        smirks.update((rule["name"], rule["smirks"]) for rule in plain)
    return smirks


def main():
    RDLogger.DisableLog("rdApp.*")
    report = json.loads(Path(sys.argv[1]).read_text())
    directories = sys.argv[2:]
    same("runs", len(report["runs"]), len(directories))
    all_rows = [check_run(run, directory) for run, directory in zip(report["runs"], directories)]
    for run, rows in zip(report["runs"], all_rows):
        check_histograms(run, rows)
    if len(directories) == 1:
        check_gallery(report["runs"][0], all_rows[0], smirks_of(directories[0]))
    else:
        sides = [{row["smiles"] for row in rows} for rows in all_rows]
        same("both", report["difference"]["both"], len(sides[0] & sides[1]))
        for name, own, other, run in zip("ab", sides, reversed(sides), report["runs"]):
            same(f"only in {name}", report["difference"][name]["only"], len(own - other))
            for structure in run["gallery"]:
                same("only", structure["only"], name)
                if structure["smiles"] not in own - other:
                    differences.append(f"{structure['smiles']} is not only in {name}")
            same(f"pictures of {name}", len(run["gallery"]) > 0, len(own - other) > 0)
    print("\n".join(differences) or "equal")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
