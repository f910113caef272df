"""The command `molsieve`, and `python -m molsieve`: the program of this package in the place of this process."""

from __future__ import annotations

import os
import sys

from ._errors import BrokenInstall


def main() -> None:
    from ._program import program

    try:
        path = program()
        os.execv(path, [path, *sys.argv[1:]])
    except BrokenInstall as error:
        sys.exit(f"molsieve: {error}")
    except OSError as error:
        sys.exit(f"molsieve: {path}: the program can't start: {error.strerror}")


if __name__ == "__main__":
    main()
