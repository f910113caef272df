#!/usr/bin/env python3
"""The Python example that README.md begins with: the first block marked `py`, and the block behind it, which shows
what the example prints. There `…` stands for text that varies: within a line for some characters, alone on a line for
any number of lines, as everywhere in the documentation (tests/it/shown.rs).

usage: packaging/readme_example.py code            prints the example
       packaging/readme_example.py compare FILE    compares what it printed with README.md; ends with 1 if they differ
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def blocks():
    """The example and the output shown, from README.md."""
    found = re.search(r"^```py\n(.*?)^```\n.*?^```text\n(.*?)^```\n", README.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit("readme_example: README.md has no block marked py with a block of text behind it")
    return found.groups()


def one_blank(text):
    """The lines with runs of blanks as one, because the width of a column may depend on what varies."""
    return [" ".join(line.split()) for line in text.splitlines()]


def pattern(shown):
    """What the output must match."""
    any_lines, lines = r"(?:.*\n)*?", one_blank(shown)
    wanted = (any_lines if line == "…" else re.escape(line).replace("…", ".+?") + r"\n" for line in lines)
    return re.compile("".join(wanted))


def compare(printed, shown):
    """Whether the output is the one shown; says so if not."""
    if pattern(shown).fullmatch("".join(line + "\n" for line in one_blank(printed))):
        return True
    print(f"README.md shows:\n{shown}\nthe example printed:\n{printed}", file=sys.stderr)
    return False


def main():
    code, shown = blocks()
    match sys.argv[1:]:
        case ["code"]:
            print(code, end="")
        case ["compare", file]:
            sys.exit(0 if compare(Path(file).read_text(), shown) else 1)
        case _:
            print(__doc__)
            sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)


main()
