"""Jobs for the tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import molsieve

RULES = {"o_methylation": "[c:1][OX2H:2]>>[c:1][O:2]C", "fluorination": "[cH:1]>>[c:1]F"}
SMILES = ["Oc1ccccc1", "Oc1ccc(O)cc1", "CC(C", "c1ccccc1O"]
MEMORY = "256MiB"


def rule_file() -> Path:
    """The rules as a file in the current folder."""
    path = Path("rules.toml")
    path.write_text("\n".join(f'[[rule]]\nname = "{name}"\nsmirks = "{smirks}"\n' for name, smirks in RULES.items()))
    return path


def command_line(*arguments: str | os.PathLike[str]) -> int:
    """Runs the program as a user does."""
    return subprocess.run([molsieve.program(), *arguments], stdout=subprocess.DEVNULL, check=False).returncode


def parts(output: str | os.PathLike[str]) -> dict[str, str]:
    """The parts of an output, each with the hash of its bytes."""
    files = sorted((Path(output) / "products").iterdir())
    assert files
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
