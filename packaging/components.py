"""What the Debian package, the image and the wheel consist of besides molsieve's own code: libraries that are bundled
and crates that are linked, with their licences. Used by copyright.py and sbom.py.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
# Of a crate that leaves the choice, the first of these licences is taken.
CHOICE = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Zlib", "Unicode-3.0", "bzip2-1.0.6"]
# Where the package has RDKit's libraries, and where the wheel has them.
PACKAGE_LIBRARIES, WHEEL_LIBRARIES = "usr/lib/molsieve", "molsieve/lib/molsieve"


def rdkit_release():
    """As RDKit writes it, from the one place that states it."""
    pins = (ROOT / "scripts/rdkit-wheels.txt").read_text()
    year, month, revision = re.search(r"^rdkit==(\d+)\.(\d+)\.(\d+)", pins, re.MULTILINE).groups()
    return f"{year}.{int(month):02}.{revision}"


def bundled(libraries):
    """What the binary or the package has that is no crate: where, whose, which licence, what it is."""
    return [
        (f"{libraries}/libRDKit*", ["2006-2026 Greg Landrum, T5 Informatics GmbH and other RDKit contributors"],
         "BSD-3-Clause", f"RDKit {rdkit_release()}, https://www.rdkit.org"),
        (f"{libraries}/libRDKitRingDecomposerLib*",
         ["2016 University of Hamburg, ZBH - Center for Bioinformatics, Niek Andresen, Florian Flachsenberg, "
          "Matthias Rarey"], "BSD-3-Clause", "RingDecomposerLib, part of RDKit's libraries"),
        (f"{libraries}/libRDKitmaeparser*", ["2017 Schrodinger, LLC"], "MIT",
         "maeparser, part of RDKit's libraries"),
        (f"{libraries}/libRDKitcoordgen*", ["2017 Schrodinger, LLC"], "BSD-3-Clause",
         "CoordGen, part of RDKit's libraries"),
        (f"{libraries}/libRDKitRDChemDrawLib* {libraries}/libRDKitChemDraw*",
         ["1986-2025 Revvity Signals, Inc.", "2024-2025 RDKit contributors"], "BSD-3-Clause",
         "the CDX reader, part of RDKit's libraries"),
        (f"{libraries}/libboost_*", ["1998-2024 the Boost authors"], "BSL-1.0",
         "Boost 1.85, https://www.boost.org"),
        (f"{libraries}/libfreetype*", ["1996-2018 David Turner, Robert Wilhelm and Werner Lemberg"], "FTL",
         "FreeType, https://freetype.org; portions of this software are copyright The FreeType Project"),
        (f"{libraries}/libpng16*", ["1995-2017 Glenn Randers-Pehrson and the contributing authors"], "libpng", "libpng"),
        (f"{libraries}/libbz2*", ["1996-2010 Julian R Seward"], "bzip2-1.0.6", "bzip2"),
        ("bundled/libRDKitMolDraw2D/fonts/*",
         ["2011 The Telex Project Authors, with Reserved Font Name Telex", "2014 The Comic Neue Project Authors"],
         "OFL-1.1", f"the fonts of pictures, within {libraries}/libRDKitMolDraw2D*"),
        ("bundled/libboost_iostreams/zlib/*", ["1995-2024 Jean-loup Gailly and Mark Adler"], "Zlib",
         f"zlib, within {libraries}/libboost_iostreams*"),
        ("bundled/libboost_iostreams/bzip2/*", ["1996-2019 Julian R Seward"], "bzip2-1.0.6",
         f"bzip2, within {libraries}/libboost_iostreams*"),
        ("bundled/libRDKitChemDraw/expat/*",
         ["1998-2000 Thai Open Source Software Center Ltd and Clark Cooper", "2001-2024 Expat maintainers"], "MIT",
         f"Expat, within {libraries}/libRDKitChemDraw* and {libraries}/libRDKitRDChemDrawLib*"),
        ("crates/libsqlite3-sys/sqlite3/*", ["none; dedicated to the public domain by its authors"], "public-domain",
         "SQLite, https://www.sqlite.org"),
        ("crates/zstd-sys/zstd/*", ["Meta Platforms, Inc. and affiliates"], "BSD-3-Clause", "Zstandard"),
        ("crates/libmimalloc-sys/c_src/*", ["2018-2026 Microsoft Corporation, Daan Leijen"], "MIT", "mimalloc"),
    ]


def crate_graph():
    """The crates whose code is in the binary, and which of them each one calls: no build scripts', tests' or macros'
    dependencies. Returns molsieve's own id, the packages by id, and the ids that each needs.
    """
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    macros = {name for name, package in packages.items()
              if any("proc-macro" in target["kind"] for target in package["targets"])}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    todo, needs = [root], {}
    while todo:
        package = todo.pop()
        if package in needs:
            continue
        needs[package] = [dependency["pkg"] for dependency in nodes[package]["deps"]
                          if any(kind["kind"] is None for kind in dependency["dep_kinds"])
                          and dependency["pkg"] not in macros]
        todo += needs[package]
    return root, {name: packages[name] for name in needs}, needs


def linked_crates():
    """The packages of these crates, without molsieve."""
    root, packages, _ = crate_graph()
    return sorted((package for name, package in packages.items() if name != root),
                  key=lambda package: (package["name"], package["version"]))


def licence(package):
    """The licences that apply, joined with `and`: of alternatives the first of CHOICE."""
    expression = package["license"] or ""
    expression = re.sub(r"\s*/\s*", " OR ", expression).replace(" WITH LLVM-exception", "")
    chosen = []
    for part in expression.split(" AND "):
        alternatives = part.strip("() ").split(" OR ")
        known = [name for name in CHOICE if name in alternatives]
        if not known:
            sys.exit(f"{package['name']} {package['version']}: no text for {expression!r}; "
                     "add it to packaging/licenses")
        chosen += [name for name in known[:1] if name not in chosen]
    return " and ".join(chosen)
