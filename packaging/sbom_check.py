#!/usr/bin/env python3
"""Checks the bill of materials of an unpacked package: it is valid CycloneDX, it names the program and each bundled
library with the checksum of the file, every component has a licence, and every dependency is a component.

usage: packaging/sbom_check.py FOLDER      (in a venv with packaging/sbom-requirements.txt)
"""

import hashlib
import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def all_components(entry):
    """A component and those within it."""
    yield entry
    for inner in entry.get("components", []):
        yield from all_components(inner)


def faults(folder):
    """What is wrong, one line each."""
    text = (folder / "usr/share/doc/molsieve/molsieve.cdx.json").read_text()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        yield f"not valid: {error}"
    bom = json.loads(text)
    components = [part for entry in bom["components"] for part in all_components(entry)]
    own = bom["metadata"]["component"]
    sums = {part.get("bom-ref"): part["hashes"][0]["content"] for part in [own, *components] if "hashes" in part}
    expected = {f"usr/lib/molsieve/{path.name}": path for path in (folder / "usr/lib/molsieve").iterdir()}
    expected[own["bom-ref"]] = folder / "usr/bin/molsieve"
    for name, path in expected.items():
        if sums.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            yield f"{name}: another checksum than {path}"
    listed = {name for name in sums if name and name.startswith("usr/lib/")}
    yield from (f"{name}: listed and not in the package" for name in sorted(listed - set(expected)))
    yield from (f"{part['name']}: no licence" for part in components if not part.get("licenses"))
    known = {part.get("bom-ref") for part in [own, *components]}
    for edge in bom["dependencies"]:
        yield from (f"{name}: no component" for name in [edge["ref"], *edge["dependsOn"]] if name not in known)
    print(f"{len(components)} components, {len(expected)} files, {len(bom['dependencies'])} with dependencies")


found = list(faults(Path(sys.argv[1])))
print("\n".join(found))
sys.exit(bool(found))
