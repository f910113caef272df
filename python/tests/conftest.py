"""What the tests share: a folder for each, and one daemon for all."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import molsieve

LIBRARY = "Oc1ccccc1 phenol\nOc1ccc(O)cc1 hydroquinone\nc1ccccc1O phenol-again\n"


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """A shell starts what runs in the background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a daemon."""
    folder = tmp_path_factory.mktemp("daemon")
    socket = folder / "socket"
    flags = ["--socket", str(socket), "--state", str(folder / "state"), "--memory", "2GiB", "--threads", "2"]
    serve = [molsieve.program(), "serve", *flags, "--gpus", "0", "--retry-delay", "0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(serve, stderr=log) as process:
        deadline = time.monotonic() + 90
        while not socket.exists():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield socket
        process.terminate()


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("library.smi").write_text(LIBRARY)
