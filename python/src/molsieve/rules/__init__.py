"""Rule files: checks, and the rules that molsieve ships."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import InputError
from .._library import Inputs
from .._program import Child

if TYPE_CHECKING:
    from .._library import Rules

__all__ = ["Checked", "check", "natural_product_library", "natural_products"]


def shipped(name: str, source: str) -> Path:
    """A file of this package, or in a clone of the repository its source."""
    here = Path(__file__).parent
    file = here / name
    return file if file.exists() else here.parents[3] / source


natural_products: Path = shipped("natural_products.toml", "examples/rules/natural_products.toml")
"""The 108 rules for natural products that molsieve ships."""
natural_product_library: Path = shipped("natural_products.csv", "examples/natural_products.csv")
"""The 621 natural products that molsieve ships, with name, SMILES, class and formula."""


@dataclass(frozen=True)
class Checked:
    """The result of a check. It is true if there are no faults."""

    rules: int
    """Rules in the files."""
    examples: int
    """Examples that were run."""
    faults: list[str]
    """What is wrong, each with file, line and column."""
    warnings: list[str]
    notes: list[str]

    def __bool__(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        return "\n".join([*self.faults, *self.warnings, *self.notes]) or "all good"


def check(rules: Rules) -> Checked:
    """Compiles each rule, runs its examples, and lists every fault with its line.

    `rules` are files, SMIRKS by name, or a list of rules with the keys of a rule file.

    >>> checked = molsieve.rules.check(molsieve.rules.natural_products)
    >>> checked.rules, bool(checked)
    (108, True)
    >>> print(molsieve.rules.check({"methylation": "[c:1][OX2H:2[>>[c:1][O:2]C"}))
    the rules:2:30: rule "methylation": "smirks": this '[' is never closed
    """
    with tempfile.TemporaryDirectory(prefix="molsieve-") as folder:
        inputs = Inputs(Path(folder) / "inputs")
        files = [argument.removeprefix("--rules=") for argument in inputs.arguments(None, rules, "")]
        with Child(["rules", "check", "--json", "--", *files]) as child:
            events = list(child.events())
            try:
                child.end()
            except InputError:
                # Faults are the answer here.
                if not events or events[-1]["event"] != "checked":
                    raise
        return of_events(events, inputs.rename)


def of_events(events: list[dict[str, object]], rename: dict[str, str]) -> Checked:
    """The events of `molsieve rules check --json` as one answer."""
    said: dict[str, list[str]] = {"fault": [], "warning": [], "note": []}
    for event in events:
        if (kind := str(event["event"])) in said:
            text = str(event.get("error") or event.get("note"))
            for path, name in rename.items():
                text = text.replace(path, name)
            said[kind].append(text)
    last = events[-1]
    return Checked(
        rules=int(str(last["rules"])),
        examples=int(str(last["examples"])),
        faults=said["fault"],
        warnings=said["warning"],
        notes=said["note"],
    )
