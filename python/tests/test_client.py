"""The client against a real daemon."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from jobs import command_line, parts, rule_file

import molsieve

SMALL: Any = {"memory": "256MiB", "threads": 1}
# A job of half a minute on one thread.
LONG: Any = {**SMALL, "steps": 2, "max_products_per_step": 20_000}


@pytest.fixture
def client(daemon: Path) -> molsieve.Client:
    return molsieve.Client(daemon)


def long_job(client: molsieve.Client, output: str) -> molsieve.Job:
    rules = molsieve.rules
    return client.submit(rules.natural_product_library, rules.natural_products, output, **LONG)


def test_a_job_of_the_daemon_gives_the_bytes_of_the_command_line(client: molsieve.Client) -> None:
    rules = rule_file()
    job = client.submit("library.smi", rules, "out", name="small", where="mw < 130", exclude=None, **SMALL)
    assert job["state"] in ("queued", "starting") and job["name"] == "small"
    assert job["settings"]["where"] == ["mw < 130"]
    ended = client.wait(job["id"])
    assert (ended["state"], ended["exit_code"]) == ("done", 0)
    command_line("run", "-i", "library.smi", "-r", rules, "-o", "expected", "--where", "mw < 130", "-m", "256MiB")
    assert parts("out") == parts("expected")
    client.remove(job["id"])
    with pytest.raises(molsieve.DaemonError) as error:
        client.job(job["id"])
    assert (error.value.code, error.value.status) == ("not_found", 404)


def test_dedup_and_files_in_settings_are_submitted(client: molsieve.Client) -> None:
    job = client.submit("library.smi", None, "distinct", task="dedup", canonical=True, **SMALL)
    Path("acids.smarts").write_text("C(=O)[OH] acid\n")
    second = client.submit(["library.smi"], rule_file(), "out", reject_smarts="acids.smarts", **SMALL)
    assert second["settings"]["reject_smarts"] == ["@" + str(Path("acids.smarts").absolute())]
    assert client.wait(second["id"])["state"] == client.wait(job["id"])["state"] == "done"
    assert molsieve.open("distinct").manifest["task"] == "dedup"


def test_all_pages_of_jobs_are_read(client: molsieve.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molsieve._client.PAGE_JOBS", 2)
    ids = [client.submit("library.smi", None, f"out{at}", **SMALL)["id"] for at in range(5)]
    for job in ids:
        client.wait(job)
    assert [job["id"] for job in client.jobs()][:5] == ids[::-1]
    assert [job["id"] for job in client.jobs(limit=3)] == ids[:1:-1]
    assert {job["state"] for job in client.jobs(["done", "failed"])} <= {"done", "failed"}
    assert client.node()["budget"]["threads"] == 2


def test_the_same_word_submits_one_job(client: molsieve.Client) -> None:
    first = client.submit("library.smi", None, "out", once="only-once", **SMALL)
    assert client.submit("library.smi", None, "out", once="only-once", **SMALL)["id"] == first["id"]
    client.wait(first["id"])


def test_a_job_is_watched_and_cancelled(client: molsieve.Client) -> None:
    job = long_job(client, "out")
    states, progress = [], 0
    with client.watch(job["id"]) as events:
        for event in events:
            if event.job:
                states.append(event.job["state"])
            if event.progress:
                progress += 1
                if progress == 1:
                    client.cancel(job["id"])
    assert states[-1] == "cancelled" and "running" in states and progress
    assert list(client.logs(job["id"])) == list(client.logs(job["id"], follow=True))


def test_the_priority_of_a_job_is_changed(daemon: Path, client: molsieve.Client) -> None:
    jobs = [long_job(client, f"out{at}") for at in range(3)]
    last = jobs[-1]["id"]
    assert client.set(last, priority=4)["priority"] == 4
    assert client.job(last)["priority"] == 4
    assert asyncio.run(molsieve.AsyncClient(daemon).set(last, priority=-4))["priority"] == -4
    with pytest.raises(molsieve.DaemonError, match="from -10 to 10") as error:
        client.set(last, priority=11)
    assert error.value.code == "invalid"
    with pytest.raises(molsieve.DaemonError, match="changes nothing"):
        client.set(last)
    for job in jobs:
        client.cancel(job["id"])
        client.wait(job["id"])
    with pytest.raises(molsieve.DaemonError, match="has ended: it is cancelled") as error:
        client.set(last, priority=1)
    assert error.value.code == "ended"


def test_jobs_wait_for_others_and_are_found_and_cancelled_by_label(client: molsieve.Client) -> None:
    label = f"plate={time.time_ns()}"
    first = long_job(client, "out")["id"]
    second = client.submit("library.smi", None, "second", labels=[label, "x"], after=first, retries=0, **SMALL)
    assert (second["labels"], second["waits_for_jobs"], second["retries"]) == ([label, "x"], [first], 0)
    third = client.submit("library.smi", None, "third", labels=label, after_any=[first], **SMALL)["id"]
    assert [job["id"] for job in client.jobs(label=label)] == [third, second["id"]]
    assert [job["id"] for job in client.jobs(label=[label, "x"])] == [second["id"]]
    with pytest.raises(TimeoutError):
        client.wait([first, third], timeout=0.5)
    client.cancel(first)
    ended = client.wait([third, second["id"], third], timeout=60)
    assert [job["state"] for job in ended] == ["done", "cancelled", "done"]
    assert f"job {first}, which it was to wait for, was cancelled" in str(ended[1]["error"])
    fourth = long_job(client, "fourth")["id"]
    late = client.submit("library.smi", None, "late", labels=label, after=fourth, **SMALL)["id"]
    assert [job["id"] for job in client.cancel_jobs(label=label)] == [late]
    assert {job["id"] for job in client.remove_jobs(label=label)} == {second["id"], third, late}
    assert client.jobs(label=label) == []
    client.cancel(fourth)
    client.wait(fourth)


def test_the_end_of_a_job_is_notified(client: molsieve.Client) -> None:
    told = Path("told").absolute()
    words = ["sh", "-c", f'echo "$MOLSIEVE_STATE" > {told}']
    job = client.submit("library.smi", None, "out", notify=words, **SMALL)
    assert job["notify"] == f"sh -c 'echo \"$MOLSIEVE_STATE\" > {told}'"
    until(lambda: told.exists() and told.read_text() == "done\n")
    with pytest.raises(molsieve.DaemonError, match=r"127\.0\.0\.1"):
        client.submit("library.smi", None, "out2", notify="http://example.org/", **SMALL)


def test_a_watch_is_closed_from_another_thread(client: molsieve.Client) -> None:
    job = long_job(client, "out")
    watch = client.watch(job["id"])
    threading.Timer(1, watch.close).start()
    begin = time.monotonic()
    list(watch)
    assert time.monotonic() - begin < 10
    assert client.job(job["id"])["state"] in ("queued", "starting", "running")
    client.cancel(job["id"])
    client.wait(job["id"])


def test_a_restart_of_the_daemon_is_waited_for() -> None:
    budget = "--memory 1GiB --threads 1 --gpus 0".split()
    serve = [molsieve.program(), "serve", "--socket", "socket", "--state", "state", *budget]
    client = molsieve.Client("socket")
    with subprocess.Popen(serve, stderr=subprocess.DEVNULL) as daemon:
        until(lambda: Path("socket").exists())
        rules = molsieve.rules
        flags: Any = {**SMALL, "max_products_per_parent": 200}
        job = client.submit(rules.natural_product_library, rules.natural_products, "out", **flags)
        watch = client.watch(job["id"])
        assert next(watch).job
        daemon.send_signal(signal.SIGTERM)
    until(lambda: not listens("socket"))
    with subprocess.Popen(serve, stderr=subprocess.DEVNULL) as daemon:
        last = [event.job for event in watch if event.job][-1]
        assert last["state"] == "done"
        daemon.send_signal(signal.SIGTERM)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as stream:
        return stream.connect_ex(path) == 0


def test_asyncio_watches_several_jobs_at_once(daemon: Path) -> None:
    async def states(client: molsieve.AsyncClient, output: str) -> list[str]:
        job = await client.submit("library.smi", None, output, **SMALL)
        return [event.job["state"] async for event in client.watch(job["id"]) if event.job]

    async def main() -> None:
        client = molsieve.AsyncClient(daemon)
        both = await asyncio.gather(states(client, "a"), states(client, "b"))
        assert [one[-1] for one in both] == ["done", "done"]
        job = (await client.jobs(limit=1))[0]
        assert all([isinstance(line, str) async for line in client.logs(job["id"])])
        assert (await client.job(job["id"]))["state"] == (await client.wait(job["id"]))["state"]
        await client.remove(job["id"])
        assert (await client.node())["jobs"]

    asyncio.run(main())


def test_asyncio_gives_up_a_watch(daemon: Path) -> None:
    async def main() -> None:
        client = molsieve.AsyncClient(daemon)
        rules = molsieve.rules
        job = await client.submit(rules.natural_product_library, rules.natural_products, "out", **LONG)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.wait(job["id"]), 1)
        await client.cancel(job["id"])
        await client.wait(job["id"])

    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 15


def test_no_daemon_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLSIEVE_SOCKET", "none.sock")
    with pytest.raises(molsieve.NoDaemon) as error:
        molsieve.Client().jobs()
    expected = "no daemon listens at none.sock; start one with molsieve serve, or give its socket"
    assert str(error.value) == expected and isinstance(error.value, ConnectionError)


def test_the_daemon_names_the_setting_that_is_wrong(client: molsieve.Client) -> None:
    with pytest.raises(molsieve.DaemonError, match=r"settings\.memory") as error:
        client.submit("library.smi", None, "out", memory="much")
    assert error.value.code == "invalid"
    with pytest.raises(TypeError, match="has no setting 'memroy'"):
        client.submit("library.smi", None, "out", memroy="1GiB")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="step is a list of mappings"):
        client.submit("library.smi", None, "out", step=2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="write this DataFrame to one first"):
        client.submit(__import__("polars").DataFrame({"smiles": ["C"]}), None, "out")
