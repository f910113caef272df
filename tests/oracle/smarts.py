"""Writes SMARTS, one a line: those of rule files, of collections that come with RDKit, and those of smarts.txt.

usage: smarts.py OUT.txt RULES.toml…

From the rule files come the reactants, and the SMARTS of `exclude` and `require`. The catalogues of alerts are not among
them, since RDKit's Python doesn't show their texts.
"""

import csv
import re
import sys
import tomllib
from pathlib import Path

from rdkit import Chem, RDConfig, RDLogger
from rdkit.Chem import BRICS, MACCSkeys, QED, Recap
from rdkit.Chem.EState import AtomTypes
from rdkit.Chem.Pharm2D import Gobbi_Pharm2D

# Files of RDKit's data with lines of fields, some of which are SMARTS.
TABLES = """
    FragmentDescriptors.csv Functional_Group_Hierarchy.txt Crippen.txt FunctionalGroups.txt Salts.txt
    SmartsLib/RLewis_smarts.txt SmartsLib/patty_rules.txt
""".split()


def reactants(smirks):
    """The reactant templates of a reaction SMARTS."""
    templates, depth = [""], 0
    for place, letter in enumerate(smirks):
        if letter == ">" and smirks[place - 1 : place] != "-":
            break
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "." and depth == 0:
            templates.append("")
        else:
            templates[-1] += letter
    return templates


def of_rules(files):
    for file in files:
        for rule in tomllib.loads(Path(file).read_text())["rule"]:
            yield from reactants(rule["smirks"])
            yield from rule.get("exclude", [])
            if "require" in rule:
                yield rule["require"]


def of_features(text):
    """The SMARTS of feature definitions, with their names replaced by what they stand for."""
    names = {}
    for line in text.replace("\\\n", "").splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0].lower() == "atomtype":
            smarts = re.sub(r"\{(\w+)\}", lambda name: names.get(name[1], "*"), fields[2])
            known = names.get(fields[1])
            names[fields[1]] = f"[$({smarts}),$({known})]" if known else f"[$({smarts})]"
            yield smarts
        if len(fields) == 3 and fields[0].lower() == "definefeature":
            yield re.sub(r"\{(\w+)\}", lambda name: names.get(name[1], "*"), fields[2])


def of_rdkit():
    data = Path(RDConfig.RDDataDir)
    for table in TABLES:
        for line in (data / table).read_text(errors="replace").splitlines():
            if not line.startswith(("//", "#\t", "# ")):
                yield from re.split(r"[\t ]+", line.strip())
    for row in csv.reader((data / "Pains/wehi_pains.csv").open()):
        yield row[0]
    yield from of_features((data / "BaseFeatures.fdef").read_text())
    yield from of_features(Gobbi_Pharm2D.fdef)
    yield from (smarts for smarts, _ in MACCSkeys.smartsPatts.values())
    yield from (smarts for _, smarts in AtomTypes._rawD)
    yield from QED.AcceptorSmarts
    yield from QED.StructuralAlertSmarts
    yield from BRICS.environs.values()
    for smirks in Recap.reactionDefs:
        yield from reactants(smirks)


def main():
    RDLogger.DisableLog("rdApp.*")
    out, *rules = sys.argv[1:]
    by_hand = Path(__file__).with_name("smarts.txt").read_text().splitlines()
    found = [*of_rules(rules), *of_rdkit(), *(line for line in by_hand if not line.startswith("# "))]
    # This leaves out names and other fields of tables.
    read = [smarts for smarts in dict.fromkeys(found) if smarts and Chem.MolFromSmarts(smarts)]
    Path(out).write_text("".join(smarts + "\n" for smarts in read))
    print(f"{len(read)} SMARTS")


if __name__ == "__main__":
    main()
