"""A daemon for the tests of the interface: the real program with a socket and a state directory of its own."""

import contextlib
import http.client
import pathlib
import socket as sockets
import subprocess
import sys
import tempfile
import time

FLAGS = ["--memory", "400MiB", "--threads", "1", "--gpus", "0"]


def get(socket, path, **headers):
    """The headers and the body of an answer of the daemon at this socket."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = sockets.socket(sockets.AF_UNIX)
    connection.sock.connect(str(socket))
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"GET {path}: {answer.status} {answer.read()!r}")
    return answer.headers, answer.read()


@contextlib.contextmanager
def serving(program, *flags):
    """A temporary folder with a daemon whose socket is `s`, and the file of its OpenAPI document."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        socket = folder / "s"
        # It starts in the folder.
        program = pathlib.Path(program).resolve()
        command = [program, "serve", "--socket", socket, "--state", folder / "state", *FLAGS, *flags]
        daemon = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            while not socket.exists():
                if daemon.poll() is not None:
                    sys.exit(f"the daemon does not start: {daemon.returncode}")
                time.sleep(0.05)
            document = folder / "openapi.json"
            document.write_bytes(get(socket, "/v1/openapi.json")[1])
            yield folder, socket, document
            if daemon.poll() is not None:
                sys.exit(f"the daemon has ended: {daemon.returncode}")
        finally:
            daemon.terminate()
            daemon.wait()
