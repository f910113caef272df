#!/usr/bin/env python3
"""Prints the software bill of materials of a staged package or wheel, as CycloneDX 1.6 in JSON: every crate that is
linked into the binary with its checksum from Cargo.lock, the C libraries within crates, and RDKit's wheel with each
library of it that is bundled, all with their licences.

usage: packaging/sbom.py FOLDER [--wheel]      (in the repository; needs cargo and the crates of Cargo.lock)

  FOLDER   what packaging/stage.sh has laid out
  --wheel  FOLDER is the unpacked wheel

The same sources and SOURCE_DATE_EPOCH give the same bytes. Ends with 1 if a bundled file has no licence here.
"""

import datetime
import fnmatch
import hashlib
import json
import os
import re
import sys
import tomllib
import uuid
from pathlib import Path

from components import PACKAGE_LIBRARIES, ROOT, WHEEL_LIBRARIES, bundled, crate_graph

# Licences that SPDX has no name for.
PLAIN = {"public-domain": {"license": {"name": "public domain"}}, "libpng": {"license": {"id": "Libpng"}}}


def sha256(content):
    """As CycloneDX writes a checksum."""
    return [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]


def licences(name):
    """The licences of a component, from an SPDX expression or a name of packaging/licenses."""
    if name in PLAIN:
        return [PLAIN[name]]
    return [{"expression": re.sub(r"\s*/\s*", " OR ", name)}]


def reference(package):
    """How other entries name a crate."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def crates(packages, root, checksums):
    """A component for each crate, with the C libraries within it."""
    within = {}
    for files, holders, name, what in bundled(""):
        if files.startswith("crates/"):
            within.setdefault(files.split("/")[1], []).append(
                {"type": "library", "name": what.split(",")[0], "copyright": "\n".join(holders),
                 "licenses": licences(name)})
    for package in sorted(packages.values(), key=lambda package: (package["name"], package["version"])):
        if package["id"] == root:
            continue
        component = {"type": "library", "bom-ref": reference(package), "name": package["name"],
                     "version": package["version"], "licenses": licences(package["license"]),
                     "purl": reference(package)}
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        else:
            # Its sources are in vendor/: the crate of that version with a change.
            component["pedigree"] = {"notes": "changed; see vendor/ in molsieve's sources"}
        if package["name"] in within:
            component["components"] = within[package["name"]]
        yield component


def rdkit(folder, libraries):
    """RDKit's wheel, with each of its libraries that is bundled."""
    pins = (ROOT / "scripts/rdkit-wheels.txt").read_text()
    version, checksum = re.search(r"^rdkit==(\S+) \\\n\s+--hash=sha256:([0-9a-f]{64})", pins, re.MULTILINE).groups()
    kinds = [(pattern, holders, name, what) for files, holders, name, what in bundled(libraries)
             for pattern in files.split() if pattern.startswith(libraries)]
    parts = []
    for path in sorted((folder / libraries).iterdir()):
        place = f"{libraries}/{path.name}"
        matching = [kind for kind in kinds if fnmatch.fnmatchcase(place, kind[0])]
        if not matching:
            sys.exit(f"{place}: no licence; add it to packaging/components.py")
        # The longest pattern says most: libRDKit* is all of RDKit.
        _, holders, name, what = max(matching, key=lambda kind: len(kind[0]))
        parts.append({"type": "library", "bom-ref": place, "name": path.name, "description": what,
                      "copyright": "\n".join(holders), "licenses": licences(name), "hashes": sha256(path.read_bytes())})
    inner = [{"type": "library", "name": what.split(",")[0], "description": what, "copyright": "\n".join(holders),
              "licenses": licences(name)}
             for files, holders, name, what in bundled(libraries) if files.startswith("bundled/")]
    return {"type": "library", "bom-ref": f"pkg:pypi/rdkit@{version}", "name": "rdkit", "version": version,
            "purl": f"pkg:pypi/rdkit@{version}", "licenses": licences("BSD-3-Clause"),
            "hashes": [{"alg": "SHA-256", "content": checksum}], "components": parts + inner}


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--wheel"]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        sys.exit(arguments not in (["-h"], ["--help"]) and 2)
    folder, wheel = Path(arguments[0]), "--wheel" in sys.argv
    libraries = WHEEL_LIBRARIES if wheel else PACKAGE_LIBRARIES
    binary = folder / ("molsieve/bin/molsieve" if wheel else "usr/bin/molsieve")
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    root, packages, needs = crate_graph()
    own = packages[root]
    of_wheel = rdkit(folder, libraries)
    components = [*crates(packages, root, checksums), of_wheel]
    edges = {reference(packages[name]): sorted(reference(packages[other]) for other in others)
             for name, others in needs.items()}
    edges[reference(own)].append(of_wheel["bom-ref"])
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": reference(own), "name": "molsieve",
                          "version": own["version"], "licenses": licences(own["license"]),
                          "hashes": sha256(binary.read_bytes())},
        },
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": others} for name, others in sorted(edges.items())],
    }
    # The same content has the same number.
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))
    print(json.dumps({**bom, "serialNumber": f"urn:uuid:{number}"}, indent=1, sort_keys=True))


main()
