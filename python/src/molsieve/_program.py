"""The program: where it is, and how it is run.

Each call of the package is one process in a session of its own, so that Ctrl-C of a terminal reaches it only once, from
here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from ._errors import GOOD, RESUME, STOPPED, BrokenInstall, Interrupted, of_exit

LOG = logging.getLogger("molsieve")
VARIABLE = "MOLSIEVE"
# Lines of standard error that are kept: the last ones have the error.
STDERR_LINES_MAX = 1000
# Seconds that a program gets to end after SIGTERM.
END_SECONDS = 20
NOT_BEGUN = "stopped before the job had written anything, or by a second Ctrl-C"


def program() -> str:
    """The path of the program: the environment variable MOLSIEVE, else the one of this package, else one on the PATH.

    >>> Path(molsieve.program()).exists()
    True
    """
    if named := os.environ.get(VARIABLE):
        return named
    own = Path(__file__).parent / "bin" / "molsieve"
    if own.exists():
        return str(own)
    for folder in os.get_exec_path():
        found = Path(folder) / "molsieve"
        if is_binary(found):
            return str(found)
    raise BrokenInstall(
        "this installation of molsieve has no program",
        f"install the wheel again, or name a program in the environment variable {VARIABLE}",
    )


def is_binary(path: Path) -> bool:
    """Whether a file is a program and no script: the script of this package would only come back here."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF" and os.access(path, os.X_OK)
    except OSError:
        return False


def start(arguments: list[str], **pipes: Any) -> subprocess.Popen[bytes]:
    """The program, started in a session of its own."""
    path = program()
    try:
        return subprocess.Popen([path, *arguments], stderr=subprocess.PIPE, start_new_session=True, **pipes)
    except OSError as error:
        hint = f"{VARIABLE} names it" if os.environ.get(VARIABLE) == path else "install molsieve again"
        raise BrokenInstall(f"{path}: the program can't start: {error.strerror}", hint) from error


class Child:
    """A run of the program. `with` ends the process whatever happens."""

    process: subprocess.Popen[bytes]

    def __init__(
        self,
        arguments: list[str],
        *,
        is_job: bool = False,
        rename: dict[str, str] | None = None,
        stdin: int | None = None,
    ) -> None:
        self.arguments = arguments
        self.is_job = is_job
        self.rename = rename or {}
        self.stdin = stdin or subprocess.DEVNULL
        self.interrupts = 0
        self.event: dict[str, Any] | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES_MAX)
        self._handler: Any = None
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)

    def __enter__(self) -> Child:
        # Only the main thread can take signals; a call in another thread is not interrupted by Ctrl-C.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            self._handler = signal.signal(signal.SIGINT, self._interrupt)
        try:
            self.process = start(self.arguments, stdout=subprocess.PIPE, stdin=self.stdin)
        except BaseException:
            self._restore()
            raise
        self._reader.start()
        for _ in range(self.interrupts):
            self.process.send_signal(signal.SIGINT)
        return self

    def _restore(self) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_SECONDS)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(END_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """Ctrl-C: the first stops a job at a checkpoint, a second one ends it at once."""
        self.interrupts += 1
        with contextlib.suppress(ProcessLookupError, AttributeError):
            self.process.send_signal(signal.SIGINT)

    def _read_stderr(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self._stderr.append(line.decode(errors="replace"))

    def events(self) -> Iterator[dict[str, Any]]:
        """The events that the program prints, each an object of JSON."""
        assert self.process.stdout
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            self.event = event
            yield event

    def text(self) -> str:
        assert self.process.stdout
        return self.process.stdout.read().decode()

    def end(self) -> int:
        """Waits for the end. Returns the exit code of a program that has done what it was to do, and raises for any
        other. Remarks of the program go to the log."""
        code = self.process.wait()
        self._reader.join(END_SECONDS)
        stderr = "".join(self._stderr)
        if self.interrupts and not self.is_job:
            raise KeyboardInterrupt
        if self.interrupts and code in (STOPPED, -signal.SIGINT):
            said = self.event and self.event["event"] == "stopped"
            error = of_exit(STOPPED, self.event if said else {"error": NOT_BEGUN}, stderr, self.rename)
            raise Interrupted(error.message, RESUME)
        if code not in GOOD:
            raise of_exit(code, self.event, stderr, self.rename)
        for line in stderr.splitlines():
            if line.strip():
                LOG.warning("%s", line.removeprefix("molsieve: "))
        if self.interrupts:
            raise KeyboardInterrupt
        return code


def follow(arguments: list[str], on_event: Callable[[dict[str, Any]], None], rename: dict[str, str]) -> int:
    """Runs a job and passes its events on. Returns its exit code."""
    with Child(arguments, is_job=True, rename=rename) as child:
        for event in child.events():
            on_event(event)
        return child.end()


def ask(arguments: list[str], rename: dict[str, str] | None = None) -> str:
    """What a verb prints."""
    with Child(arguments, rename=rename) as child:
        text = child.text()
        # With --json a failure is an event too.
        with contextlib.suppress(ValueError, IndexError):
            last = json.loads(text.strip().split("\n")[-1])
            child.event = last if isinstance(last, dict) else None
        child.end()
        return text


def ask_json(arguments: list[str], rename: dict[str, str] | None = None) -> list[Any]:
    """The objects that a verb prints with --json."""
    return [json.loads(line) for line in ask([*arguments, "--json"], rename).splitlines()]
