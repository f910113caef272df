#!/usr/bin/env python3
"""Prints the copyright file of the Debian package or of the wheel, in Debian's format: molsieve's own
licence, the bundled libraries', and those of every crate that is linked into the binary.

usage: packaging/copyright.py [--wheel]      (in the repository; needs cargo and the crates of Cargo.lock)

Where a crate leaves the choice, the first of CHOICE is taken. Ends with 1 if a crate has a licence whose text
is not here.
"""

import re
import sys
from pathlib import Path

from components import PACKAGE_LIBRARIES, ROOT, WHEEL_LIBRARIES, bundled, licence, linked_crates

WHEEL = sys.argv[1:] == ["--wheel"]
# Where the package has the libraries and the binary, and the text of the Apache licence.
LIBRARIES, BINARY, APACHE = (PACKAGE_LIBRARIES, "/usr/bin/molsieve", "/usr/share/common-licenses/Apache-2.0")
if WHEEL:
    LIBRARIES, BINARY, APACHE = (WHEEL_LIBRARIES, "molsieve/bin/molsieve", "LICENSE-APACHE")


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
    for files, copyrights, name, what in bundled(LIBRARIES):
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
