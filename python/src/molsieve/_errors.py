"""What goes wrong: exceptions with the exit code, the message and the hint of the program."""

from __future__ import annotations

import re
import signal
from typing import Any

STOPPED = 75
"""Exit code of a job that stopped at a checkpoint."""
GOOD = (0, 4)
"""Exit codes of a job that is done; 4: some rows were rejected or capped."""


class Error(Exception):
    """Why molsieve can't do what was asked.

    >>> try:
    ...     molsieve.run("missing.smi", None, "out")
    ... except molsieve.Error as error:
    ...     print(error.exit_code, error.message)
    3 missing.smi: no such file or directory
    """

    exit_code: int = 1
    """The exit code of the program."""

    def __init__(
        self, message: str, hint: str | None = None, *, detail: str = "", exit_code: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.message = message
        """What is wrong, in one line."""
        self.hint = hint
        """What to do, where that is known."""
        self.detail = detail
        """More lines, such as the table of memory of a job that does not fit."""
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class Failed(Error):
    """The job failed. Published parts are valid; `resume=True` continues from the last checkpoint."""


class Stopped(Error):
    """The job stopped at a checkpoint, because of SIGTERM or a nearly full disk; `resume=True` continues from it."""

    exit_code = STOPPED


class UsageError(Error, ValueError):
    """A setting is wrong, or its budget can't hold the job. Nothing was written."""

    exit_code = 2


class InputError(Error, ValueError):
    """The library or the rules can't be used. Nothing was written."""

    exit_code = 3
    file: str | None = None
    """The file that is wrong, where the program names a line of it."""
    line: int | None = None
    column: int | None = None


class BrokenInstall(Error):
    """The program is missing, or can't start."""


class DaemonError(Error):
    """The daemon refuses a request, or gives no answer."""

    def __init__(self, message: str, hint: str | None = None, *, code: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.code = code
        """The fixed word for the kind of error, such as `not_found`."""
        self.status = status
        """The status of the answer."""


class NoDaemon(DaemonError, ConnectionError):
    """No daemon listens at the socket."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has stopped the job at a checkpoint. The same call with `resume=True` continues from it."""

    exit_code = STOPPED

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.message = message
        self.hint = hint


RESUME = "the same call with resume=True continues"


def of_exit(code: int, event: dict[str, Any] | None, stderr: str, rename: dict[str, str]) -> Error:
    """The exception for a program that ended with `code`. `event` is the last one it printed, if it prints JSON;
    `rename` has the files that the package wrote, with the names that a caller knows them by."""
    text = str(event["error"]) if event and "error" in event else said_on(stderr)
    for path, name in rename.items():
        text = text.replace(path, name)
    if code < 0:
        text = f"the program was killed by {signal.Signals(-code).name}" + (f": {text}" if text else "")
    if code == 127 or "error while loading shared libraries" in stderr:
        return BrokenInstall(f"the program can't start: {text}", "install molsieve again")
    first, _, detail = (text or f"the program ended with exit code {code}").partition("\n")
    message, _, hint = first.partition("; ")
    if not hint and (tip := re.search(r"^\s*tip: (.+)$", detail, re.MULTILINE)):
        hint = tip[1]
    kind = {2: UsageError, 3: InputError, STOPPED: Stopped}.get(code, Failed)
    if kind is Stopped:
        hint = RESUME
    error = kind(in_python(message), in_python(hint) or None, detail=detail, exit_code=code)
    if isinstance(error, InputError) and (place := re.match(r"(.+?):(\d+)(?::(\d+))?: ", message)):
        error.file, error.line = place[1], int(place[2])
        error.column = int(place[3]) if place[3] else None
    return error


def said_on(stderr: str) -> str:
    """The error that the program has written for people."""
    lines = stderr.strip().split("\n")
    for at, line in enumerate(lines):
        if line.startswith(("molsieve: ", "error: ")):
            last = [line.split(": ", 1)[1], *lines[at + 1 :]]
            stderr = "\n".join(last)
    return stderr.strip()


def in_python(text: str) -> str:
    """The text with the settings named as arguments of a function; commands to type stay as they are."""
    if re.search(r"molsieve [a-z]+ .*--", text):
        return text
    text = re.sub(r"--(overwrite|resume)\b", r"\1=True", text)
    return re.sub(r"--([a-z][a-z-]*)", lambda flag: flag[1].replace("-", "_"), text)
