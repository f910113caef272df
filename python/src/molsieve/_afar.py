"""Daemons on other machines: `ssh://[user@]node[:port][/path/of/the/socket]`.

The program holds the connection (`molsieve tunnel`): the user's own ssh forwards a socket of this machine to the
daemon's. One ssh process serves all requests of a client.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import weakref
from typing import Any

from ._errors import DaemonError, NoDaemon
from ._program import program

SCHEME = "ssh://"
# Seconds that the program gets to end after its standard input has ended.
END_SECONDS = 10


class Tunnel:
    """A socket of this machine that leads to a daemon on another one. It ends with `close`, or with the object."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = ""
        self._lock = threading.Lock()
        self._end: Any = None

    def socket(self) -> str:
        """The path of the socket. Connects, if there is no connection; ssh may ask for a password on the terminal."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._socket

    def _start(self) -> None:
        self._stop()
        pipe = subprocess.PIPE
        arguments = [program(), "tunnel", "--socket", self.address]
        process = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        if not line:
            said = process.stderr.read().decode(errors="replace").strip()
            end(process)
            message, _, hint = said.removeprefix("molsieve: ").partition("; ")
            kind = NoDaemon if message.startswith("no daemon") else DaemonError
            raise kind(message or f"{self.address}: ssh has ended", hint or None)
        self._socket = json.loads(line)["address"]
        self._process = process
        self._end = weakref.finalize(self, end, process)

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def close(self) -> None:
        """Ends the connection; a later request connects again."""
        with self._lock:
            self._stop()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the program, which ends ssh."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_absolute(paths: list[Any]) -> None:
    """The files of a job are on the daemon's machine, where no folder is the current one."""
    for path in paths:
        if isinstance(path, (str, os.PathLike)) and not os.path.isabs(path):
            shown = os.fspath(path)
            raise ValueError(
                f"{shown}: over ssh the files of a job are on the daemon's machine; give an absolute path there"
            )
