"""A daemon on another machine, over ssh: this machine, behind OpenSSH's server with keys of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import molsieve

SERVER = Path("/usr/sbin/sshd")
SMALL: Any = {"memory": "256MiB", "threads": 1}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server; `ssh` before the user's in PATH has a key for it."""
    ssh = shutil.which("ssh")
    if not SERVER.exists() or not ssh:
        pytest.skip("OpenSSH is not installed")
    folder = tmp_path_factory.mktemp("sshd")
    for key in ["host", "key"]:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    port = free_port()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known\n"
    )
    script = folder / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n')
    script.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    before = os.environ["PATH"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([SERVER, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        os.environ["PATH"] = f"{script.parent}:{before}"
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield port
    finally:
        os.environ["PATH"] = before
        server.terminate()
        server.wait()


def test_a_job_is_submitted_and_watched_over_ssh(daemon: Path, port: int) -> None:
    client = molsieve.Client(f"ssh://127.0.0.1:{port}{daemon}")
    assert repr(client) == f"molsieve.Client('ssh://127.0.0.1:{port}{daemon}')"
    here = Path.cwd()
    job = client.submit(here / "library.smi", None, here / "out", name="afar", **SMALL)
    states = [event.job["state"] for event in client.watch(job["id"]) if event.job]
    assert states[-1] == "done"
    assert any("unique products" in line for line in client.logs(job["id"]))
    assert client.jobs(limit=1)[0]["name"] == "afar"
    with pytest.raises(ValueError, match="absolute path there"):
        client.submit("library.smi", None, here / "out2", **SMALL)
    client.remove(job["id"])


def test_errors_of_ssh_are_errors_of_the_daemon(daemon: Path, port: int) -> None:
    with pytest.raises(molsieve.DaemonError, match=r"ssh to 127\.0\.0\.1: .*Connection refused"):
        molsieve.Client("ssh://127.0.0.1:1").jobs()
    with pytest.raises(molsieve.NoDaemon, match="no daemon listens at ssh://"):
        molsieve.Client(f"ssh://127.0.0.1:{port}/no.sock").jobs()
    with pytest.raises(molsieve.DaemonError, match="an address is ssh://") as error:
        molsieve.Client("ssh://no_port:x").jobs()
    assert error.value.status == 0
