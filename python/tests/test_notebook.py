"""Notebooks: the example gives the outputs it is committed with, and Ctrl-C in a cell stops a job at a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jobs import parts
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

import molsieve

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
JOB = """
import molsieve
import polars as pl
rules = molsieve.rules
frame = pl.read_csv(rules.natural_product_library).select("smiles", "name")
flags = {"memory": "512MiB", "steps": 2, "max_products_per_step": 2000}
"""


def texts(notebook: Any) -> list[list[str]]:
    """What the cells show as text. A bar of progress is only shown by a job that takes long."""
    return [
        [
            str(output.get("text") or output["data"]["text/plain"])
            for output in cell.get("outputs", [])
            if output["output_type"] != "display_data"
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_example_gives_the_outputs_it_is_committed_with(tmp_path: Path) -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    again = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(again, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert texts(again) == texts(committed) and all(texts(committed)[1:])
    html = again.cells[1].outputs[-1].data["text/html"]
    assert "<svg" in html and "<td>unique</td>" in html


def test_the_example_has_no_path_of_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/work/", "/usr/"))


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(client: BlockingKernelClient, code: str) -> dict[str, Any]:
    return answer(client, client.execute(code))


def answer(client: BlockingKernelClient, message: str) -> dict[str, Any]:
    while True:
        reply = client.get_shell_msg(timeout=90)
        if reply["parent_header"]["msg_id"] == message:
            content: dict[str, Any] = reply["content"]
            return content


def test_ctrl_c_in_a_cell_stops_at_a_checkpoint(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    manager, client = kernel
    assert run_cell(client, JOB)["status"] == "ok"
    message = client.execute('molsieve.run(frame, rules.natural_products, "out", **flags)', stop_on_error=False)
    deadline = time.monotonic() + 60
    while not Path("out/.molsieve").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    manager.interrupt_kernel()
    stopped = answer(client, message)
    assert (stopped["status"], stopped["ename"]) == ("error", "Interrupted")
    assert "stopped at a checkpoint" in stopped["evalue"] and "resume=True" in stopped["evalue"]
    # The kernel goes on, and so does the job.
    resumed = run_cell(client, 'run = molsieve.run(output="out", resume=True)')
    assert resumed["status"] == "ok", resumed
    assert molsieve.open("out").manifest["interruptions"] == 1
    expected = run_cell(client, 'molsieve.run(frame, rules.natural_products, "expected", **flags)')
    assert expected["status"] == "ok" and parts("out") == parts("expected")
