#!/usr/bin/env python3
"""Compares a running daemon with its OpenAPI document.

usage: check.py MOLSIEVE [SEED]

Starts the daemon MOLSIEVE in a temporary directory, validates its document, and has schemathesis send requests
that the document allows and requests that it does not: the document must describe every answer. Submitted jobs
fail, because their inputs do not exist. schemathesis uses TCP, so a forwarder connects it to the socket.

Exits with 1 if there is a difference.
"""

import asyncio
import pathlib
import subprocess
import sys

from daemon import serving

HERE = pathlib.Path(__file__).parent
TOOLS = pathlib.Path(sys.executable).parent


async def pour(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # one side is gone; closing tells the other
    finally:
        writer.close()


async def forward_to(socket):
    async def forward(reader, writer):
        there, here = await asyncio.open_unix_connection(str(socket))
        await asyncio.gather(pour(reader, here), pour(there, writer))

    return await asyncio.start_server(forward, "localhost", 0)


async def check(socket, seed):
    server = await forward_to(socket)
    port = server.sockets[0].getsockname()[1]
    tool = await asyncio.create_subprocess_exec(
        TOOLS / "schemathesis",
        "--config-file", HERE / "schemathesis.toml",
        "run", f"http://localhost:{port}/v1/openapi.json",
        "--checks", "all", "--max-examples", "100", "--request-timeout", "30", "--no-color",
        *(["--seed", seed] if seed else []),
    )
    return await tool.wait()


def main():
    program, *seed = sys.argv[1:]
    with serving(program) as (_, socket, document):
        subprocess.run([TOOLS / "openapi-spec-validator", document], check=True)
        found = asyncio.run(check(socket, seed[0] if seed else None))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
