"""Compares `--clean` with RDKit's functions in Python, row by row, for `dedup` and for `run` without rules.

usage: clean.py --molsieve PROGRAM [--steps STEPS]… [--verb dedup|run]… [--sdf] CATALOGUE.smi

With --sdf, the molecules are given as an SD file. STEPS is what --clean is given, such as fragment,uncharge. The exit code is 1 if any row differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import pyarrow.parquet as pq
from rdkit import Chem, RDLogger
from rdkit.Chem.MolStandardize import rdMolStandardize

SHOWN = 20


class Cleaner:
    """The reference: what docs/cleaning.md promises."""

    def __init__(self, steps):
        self.steps = steps
        self.uncharger = rdMolStandardize.Uncharger()
        self.tautomers = rdMolStandardize.TautomerEnumerator()

    def clean(self, mol):
        mol = rdMolStandardize.Cleanup(mol)
        if "fragment" in self.steps:
            mol = rdMolStandardize.FragmentParent(mol, skipStandardize=True)
        if "uncharge" in self.steps:
            mol = self.uncharger.uncharge(mol)
        if "tautomer" in self.steps:
            mol = self.tautomers.Canonicalize(mol)
        if "stereo" in self.steps:
            mol = Chem.Mol(mol)
            Chem.RemoveStereochemistry(mol)
        return mol

    def of_text(self, text):
        """The canonical SMILES as read and after cleaning; None: RDKit can't read or clean it."""
        mol = Chem.MolFromMolBlock(text) if is_mol_block(text) else Chem.MolFromSmiles(text)
        if mol is None or mol.GetNumAtoms() == 0:
            return None
        before = Chem.MolToSmiles(mol)
        try:
            return before, Chem.MolToSmiles(self.clean(mol))
        except Exception:
            return None


def is_mol_block(text):
    return "\n" in text


def references(texts, steps):
    RDLogger.DisableLog("rdApp.*")
    cleaner = Cleaner(steps)
    return [cleaner.of_text(text) for text in texts]


def output(molsieve, verb, steps, catalogue, folder):
    """The rows by number: SMILES, SMILES of the parent if there is one, SMILES as read; the rejected rows; the manifest."""
    command = [molsieve, verb, "--input", catalogue, "--output", folder, f"--clean={steps}", "--overwrite"]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode not in (0, 4):
        sys.exit(f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
    rows = {}
    for part in sorted(Path(folder).glob("products/part-*.parquet")):
        table = pq.read_table(part)
        names = ["parent_row", "smiles", "parent_smiles", "input_smiles"]
        columns = [table[name].to_pylist() if name in table.column_names else [None] * len(table) for name in names]
        rows |= {row: rest for row, *rest in zip(*columns)}
    rejects = Path(folder) / "rejects.parquet"
    rejected = set(pq.read_table(rejects)["row"].to_pylist()) if rejects.exists() else set()
    return rows, rejected, json.loads((Path(folder) / "manifest.json").read_text())


def expected(texts, known, verb):
    rows, rejected, seen, changed = {}, set(), set(), 0
    for number, (text, answer) in enumerate(zip(texts, known)):
        if is_mol_block(text):  # its SMILES is RDKit's
            text = answer and answer[0]
        own = answer and (text if answer[0] == answer[1] else answer[1])
        written = own and own
        if verb == "run" and own:
            mol = Chem.MolFromSmiles(own)
            written = mol and Chem.MolToSmiles(mol)
        if not written:
            rejected.add(number)
            continue
        changed += answer[0] != answer[1]
        key = written if verb == "run" else answer[1]
        if key not in seen:
            seen.add(key)
            rows[number] = [written, own if verb == "run" else None, text]
    return rows, rejected, changed


def compare(molsieve, verb, steps, catalogue, texts, known):
    with tempfile.TemporaryDirectory() as folder:
        rows, rejected, manifest = output(molsieve, verb, steps, catalogue, folder)
    wanted, unusable, changed = expected(texts, known, verb)
    differences = [
        (number, texts[number], known[number], wanted.get(number), rows.get(number))
        for number in sorted(wanted.keys() | rows.keys())
        if wanted.get(number) != rows.get(number)
    ]
    differences += [(number, texts[number], "rejected by one only") for number in rejected ^ unusable]
    counted = manifest["counts"]["parents_cleaned"]
    if counted != changed:
        differences.append((f"{counted} counted as changed, {changed} are",))
    cleaning = manifest["cleaning"]
    print(
        f"{verb} --clean={steps}: {len(texts)} rows, {changed} changed {json.dumps(cleaning['changed_by'])}, "
        f"{len(rejected)} rejected, {cleaning['by_rdkit']} cleaned by RDKit, {cleaning['checked']} checked, "
        f"{len(differences)} differences"
    )
    for difference in differences[:SHOWN]:
        print("  ", *difference, sep="\n     ")
    return len(differences)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--molsieve", required=True)
    parser.add_argument("--steps", action="append", default=[])
    parser.add_argument("--verb", action="append", default=[])
    parser.add_argument("--sdf", action="store_true")
    parser.add_argument("catalogue")
    args = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    texts = [line.split()[0] for line in Path(args.catalogue).read_text().splitlines()]
    catalogue = args.catalogue
    if args.sdf:
        catalogue = str(Path(catalogue).with_suffix(".sdf"))
        texts = [Chem.MolToMolBlock(mol) for mol in map(Chem.MolFromSmiles, texts) if mol]
        Path(catalogue).write_text("".join(f"{text}$$$$\n" for text in texts))
    chunks = [texts[start : start + 200] for start in range(0, len(texts), 200)]
    differences = 0
    with Pool(2) as pool:
        for steps in args.steps or ["fragment,uncharge"]:
            answers = pool.map(partial(references, steps=steps.split(",")), chunks, chunksize=1)
            known = [answer for chunk in answers for answer in chunk]
            for verb in args.verb or ["dedup", "run"]:
                differences += compare(args.molsieve, verb, steps, catalogue, texts, known)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
