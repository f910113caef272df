#!/usr/bin/env python3
"""Prints the copyright file of the Debian package or of the wheel, in Debian's format: molsieve's own
licence, the bundled libraries', and those of every crate that is linked into the binary.

usage: packaging/copyright.py [--wheel]      (in the repository; needs cargo and the crates of Cargo.lock)

Where a crate leaves the choice, the first of CHOICE is taken. Ends with 1 if a crate has a licence whose text
is not here.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
CHOICE = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Zlib", "Unicode-3.0", "bzip2-1.0.6"]


def rdkit_release():
    """As RDKit writes it, from the one place that states it."""
    pins = (ROOT / "scripts/rdkit-wheels.txt").read_text()
    year, month, revision = re.search(r"^rdkit==(\d+)\.(\d+)\.(\d+)", pins, re.MULTILINE).groups()
    return f"{year}.{int(month):02}.{revision}"


WHEEL = sys.argv[1:] == ["--wheel"]
# Where the package has the libraries and the binary, and the text of the Apache licence.
LIBRARIES, BINARY, APACHE = ("usr/lib/molsieve", "/usr/bin/molsieve", "/usr/share/common-licenses/Apache-2.0")
if WHEEL:
    LIBRARIES, BINARY, APACHE = ("molsieve/lib/molsieve", "molsieve/bin/molsieve", "LICENSE-APACHE")

# What the binary or the package has that is no crate: where, whose, which licence, what it is.
BUNDLED = [
    (f"{LIBRARIES}/libRDKit*", ["2006-2026 Greg Landrum, T5 Informatics GmbH and other RDKit contributors"],
     "BSD-3-Clause", f"RDKit {rdkit_release()}, https://www.rdkit.org"),
    (f"{LIBRARIES}/libRDKitRingDecomposerLib*",
     ["2016 University of Hamburg, ZBH - Center for Bioinformatics, Niek Andresen, Florian Flachsenberg, "
      "Matthias Rarey"], "BSD-3-Clause", "RingDecomposerLib, part of RDKit's libraries"),
    (f"{LIBRARIES}/libRDKitmaeparser*", ["2017 Schrodinger, LLC"], "MIT",
     "maeparser, part of RDKit's libraries"),
    (f"{LIBRARIES}/libRDKitcoordgen*", ["2017 Schrodinger, LLC"], "BSD-3-Clause",
     "CoordGen, part of RDKit's libraries"),
    (f"{LIBRARIES}/libRDKitRDChemDrawLib* {LIBRARIES}/libRDKitChemDraw*",
     ["1986-2025 Revvity Signals, Inc.", "2024-2025 RDKit contributors"], "BSD-3-Clause",
     "the CDX reader, part of RDKit's libraries"),
    (f"{LIBRARIES}/libboost_*", ["1998-2024 the Boost authors"], "BSL-1.0",
     "Boost 1.85, https://www.boost.org"),
    (f"{LIBRARIES}/libfreetype*", ["1996-2018 David Turner, Robert Wilhelm and Werner Lemberg"], "FTL",
     "FreeType, https://freetype.org; portions of this software are copyright The FreeType Project"),
    (f"{LIBRARIES}/libpng16*", ["1995-2017 Glenn Randers-Pehrson and the contributing authors"], "libpng", "libpng"),
    (f"{LIBRARIES}/libbz2*", ["1996-2010 Julian R Seward"], "bzip2-1.0.6", "bzip2"),
    ("bundled/libRDKitMolDraw2D/fonts/*",
     ["2011 The Telex Project Authors, with Reserved Font Name Telex", "2014 The Comic Neue Project Authors"],
     "OFL-1.1", f"the fonts of pictures, within {LIBRARIES}/libRDKitMolDraw2D*"),
    ("bundled/libboost_iostreams/zlib/*", ["1995-2024 Jean-loup Gailly and Mark Adler"], "Zlib",
     f"zlib, within {LIBRARIES}/libboost_iostreams*"),
    ("bundled/libboost_iostreams/bzip2/*", ["1996-2019 Julian R Seward"], "bzip2-1.0.6",
     f"bzip2, within {LIBRARIES}/libboost_iostreams*"),
    ("bundled/libRDKitChemDraw/expat/*",
     ["1998-2000 Thai Open Source Software Center Ltd and Clark Cooper", "2001-2024 Expat maintainers"], "MIT",
     f"Expat, within {LIBRARIES}/libRDKitChemDraw* and {LIBRARIES}/libRDKitRDChemDrawLib*"),
    ("crates/libsqlite3-sys/sqlite3/*", ["none; dedicated to the public domain by its authors"], "public-domain",
     "SQLite, https://www.sqlite.org"),
    ("crates/zstd-sys/zstd/*", ["Meta Platforms, Inc. and affiliates"], "BSD-3-Clause", "Zstandard"),
    ("crates/libmimalloc-sys/c_src/*", ["2018-2026 Microsoft Corporation, Daan Leijen"], "MIT", "mimalloc"),
]


def linked_crates():
    """The packages whose code is in the binary: no build scripts', tests' or macros' dependencies."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    todo, seen = [root], set()
    while todo:
        package = todo.pop()
        macro = any("proc-macro" in target["kind"] for target in packages[package]["targets"])
        if package in seen or macro:
            continue
        seen.add(package)
        todo += [dependency["pkg"] for dependency in nodes[package]["deps"]
                 if any(kind["kind"] is None for kind in dependency["dep_kinds"])]
    return sorted((packages[package] for package in seen - {root}), key=lambda p: (p["name"], p["version"]))


def licence(package):
    """The licences that apply, joined with `and`: of alternatives the first of CHOICE."""
    expression = package["license"] or ""
    expression = re.sub(r"\s*/\s*", " OR ", expression).replace(" WITH LLVM-exception", "")
    chosen = []
    for part in expression.split(" AND "):
        alternatives = part.strip("() ").split(" OR ")
        known = [name for name in CHOICE if name in alternatives]
        if not known:
            sys.exit(f"copyright: {package['name']} {package['version']}: no text for {expression!r}; "
                     "add it to packaging/licenses")
        chosen += [name for name in known[:1] if name not in chosen]
    return " and ".join(chosen)


def holders(package):
    """The lines on copyright in the crate's own files, else its authors."""
    folder = Path(package["manifest_path"]).parent
    lines = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and re.match("(LICEN[SC]E|COPYING|COPYRIGHT|NOTICE)", file.name, re.I):
            for line in file.read_text(errors="replace").splitlines():
                found = re.match(r"\W*(?:Copyright\b[:\s]*(?:\(c\)|©)?|\(c\)|©)\s*(.*\d{4}.*?)[.\s]*$", line, re.I)
                if found and not re.search(r"yyyy|name of|owner\]", found[1], re.I) and found[1] not in lines:
                    lines.append(found[1])
    return lines or [", ".join(package["authors"]) or f"the authors of {package['name']}"]


def paragraph(files, copyrights, name, comment=None):
    """One paragraph on files. A line that is empty would end it."""
    lines = ["Files: " + "\n ".join(files), "Copyright: " + "\n ".join(copyrights), f"License: {name}"]
    if comment:
        lines.append(f"Comment: {comment}")
    print("\n".join(lines) + "\n")


def licence_text(name):
    """The paragraph with the text of a licence."""
    if name == "Apache-2.0":
        text = f"The text is in {APACHE}, beside this file." if WHEEL else f"On Debian systems the text is in {APACHE}."
    elif name == "public-domain":
        text = "The authors disclaim copyright to this source code."
    elif name == "MIT":
        text = (ROOT / "LICENSE-MIT").read_text()
        text = text[text.index("Permission is"):]
    else:
        text = (ROOT / "packaging/licenses" / f"{name}.txt").read_text()
    body = "\n".join(f" {line}".rstrip() if line.strip() else " ." for line in text.strip().splitlines())
    print(f"License: {name}\n{body}\n")


def main():
    print("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
          "Upstream-Name: molsieve\n"
          "Source: the repository that this package was built from\n"
          f"Comment: Paths below crates/ are the crates that are linked into {BINARY}.\n")
    own = re.search(r"Copyright \(c\) (.*)", (ROOT / "LICENSE-MIT").read_text())[1]
    paragraph(["*"], [own], "MIT or Apache-2.0")
    used = {"MIT", "Apache-2.0"}
    for files, copyrights, name, what in BUNDLED:
        paragraph(files.split(), copyrights, name, what)
        used.add(name)
    groups = {}
    for package in linked_crates():
        key = (tuple(holders(package)), licence(package))
        groups.setdefault(key, []).append(f"crates/{package['name']}-{package['version']}/*")
        used.update(key[1].split(" and "))
    for (copyrights, name), files in sorted(groups.items(), key=lambda item: item[1]):
        paragraph(files, copyrights, name)
    for name in sorted(used):
        licence_text(name)


main()
