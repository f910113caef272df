"""A client of the daemon: HTTP over its Unix socket. Each request has a connection of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload
from urllib.parse import urlencode

from ._afar import SCHEME, Tunnel, check_absolute
from ._arguments import check_names, items, steps_of, text
from ._daemon_answers import (
    Change,
    EndList,
    Job,
    JobList,
    Node,
    Progress,
    SelectedJob,
    SelectedJobs,
    State,
    Submission,
)
from ._errors import DaemonError, NoDaemon
from ._settings import FLAGS, AnyPath, AnyPaths

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import AllSettings

SOCKET_VARIABLE = "MOLSIEVE_SOCKET"
NODE_SOCKET = "/run/molsieve/molsieve.sock"
FINAL: frozenset[State] = frozenset(("done", "failed", "cancelled"))
# Seconds to wait for an answer, and for the next bytes of a stream: the daemon writes a comment every 15.
ANSWER_SECONDS = 60.0
# Seconds to wait for a daemon that is gone to return, and between two attempts.
RETURN_SECONDS = 600.0
RETRY_SECONDS = (0.2, 5.0)
# Attempts of a request while the daemon is busy.
BUSY_TRIES = 4
PAGE_JOBS = 200
# Most jobs that one request waits for.
WAIT_JOBS = 1000
# Files of SMARTS, as the flags of filters take them.
SMARTS_ENDINGS = (".smarts", ".sma", ".txt", ".smi", ".tsv")


@dataclass(frozen=True)
class Event:
    """What a watched job does: `job` is the job after a change of its state, `progress` how far its process is."""

    job: Job | None = None
    progress: Progress | None = None


def default_socket() -> AnyPath:
    """The daemon's socket: $MOLSIEVE_SOCKET, else that of the user's own daemon, else that of the system."""
    if named := os.environ.get(SOCKET_VARIABLE):
        return named
    own = Path(os.environ.get("XDG_RUNTIME_DIR", "")) / "molsieve" / "molsieve.sock"
    return own if own.is_absolute() and own.exists() else Path(NODE_SOCKET)


class Client:
    """A client of the daemon that `molsieve serve` runs. `socket` is the path of its socket, or for a daemon on another
    machine `ssh://[user@]node[:port][/path/of/the/socket]`: the user's own ssh connects to it, and paths of jobs are
    those of that machine.

    >>> client = molsieve.Client(daemon)
    >>> job = client.submit("library.smi", None, "cleaned", memory="256MiB", threads=1)
    >>> client.wait(job["id"])["state"]
    'done'
    >>> molsieve.open("cleaned").manifest["counts"]["products_unique"]
    2
    """

    def __init__(self, socket: AnyPath | None = None) -> None:
        given = default_socket() if socket is None else socket
        is_afar = isinstance(given, str) and given.startswith(SCHEME)
        self.socket: Path | str = str(given) if is_afar else Path(given)
        self._tunnel = Tunnel(str(given)) if is_afar else None

    def __repr__(self) -> str:
        return f"molsieve.Client({str(self.socket)!r})"

    def submit(
        self,
        library: AnyPaths,
        rules: AnyPaths | None,
        output: AnyPath,
        *,
        task: Literal["derive", "dedup"] = "derive",
        name: str | None = None,
        priority: int = 0,
        once: str | None = None,
        labels: str | Sequence[str] = (),
        after: int | Sequence[int] = (),
        after_any: int | Sequence[int] = (),
        retries: int | None = None,
        notify: str | Sequence[str] | None = None,
        **settings: Unpack[AllSettings],
    ) -> Job:
        """Submits a job. The library and the rules are files; the settings are those of `molsieve.run`, or with
        `task="dedup"` of `molsieve.dedup`. The daemon takes a second job with the same word `once` for the first.

        `labels` are words to find the job by. It starts when the jobs `after` are done and the jobs `after_any` have
        ended. `retries` are the restarts without progress after which it fails. `notify` is a command, as text or as
        words, or a local address, that reports its end.
        """
        given = cast("dict[str, Any]", settings)
        if self._tunnel:
            check_absolute([*items(library), *items(rules or ()), output, *items(given.get("exclude") or ())])
        check_names("run" if task == "derive" else "dedup", given)
        mode = "resume" if given.pop("resume", False) else "overwrite" if given.pop("overwrite", False) else "refuse"
        body: dict[str, Any] = {"mode": mode, "priority": priority, "settings": job_settings(given)}
        body["settings"] |= {"task": task, "input": absolute(library), "output": absolute(output)[0]}
        if rules is not None:
            body["settings"]["rules"] = absolute(rules)
        if name is not None:
            body["name"] = name
        body |= submit_options(labels, after, after_any, retries, notify)
        return self.submit_body(cast("Submission", body), once)

    def submit_body(self, submission: Submission, once: str | None = None) -> Job:
        """Submits a job as the HTTP interface takes it."""
        # With a key, a request that is sent again makes no second job.
        headers = {"Idempotency-Key": once or secrets.token_hex(16)}
        return cast("Job", self._ask("POST", "/v1/jobs", submission, headers))

    def jobs(
        self,
        state: State | Sequence[State] | None = None,
        user: int | None = None,
        limit: int | None = None,
        label: str | Sequence[str] | None = None,
    ) -> list[Job]:
        """The jobs, newest first: all, or `limit` of them; with `label`, those that have all of these labels."""
        query = {"state": joined(state), "user": user, "label": joined(label)}
        jobs: list[Job] = []
        before: int | None = None
        while limit is None or len(jobs) < limit:
            size = PAGE_JOBS if limit is None else min(PAGE_JOBS, limit - len(jobs))
            parts = {key: value for key, value in (query | {"before": before, "limit": size}).items() if value}
            page = cast("JobList", self._ask("GET", f"/v1/jobs?{urlencode(parts)}"))
            jobs += page["jobs"]
            before = page["next_before"]
            if before is None or not page["jobs"]:
                break
        return jobs

    def job(self, job: int) -> Job:
        """One job."""
        return cast("Job", self._ask("GET", f"/v1/jobs/{job}"))

    def set(
        self, job: int, *, priority: int | None = None, memory: int | str | None = None, threads: int | None = None
    ) -> Job:
        """Changes a job that has not ended: `priority`, from -10 to 10, of which the higher goes first; and of a job
        that waits, `memory`, such as `"2GiB"`, and `threads`."""
        change: Change = {}
        if priority is not None:
            change["priority"] = priority
        if memory is not None:
            change["memory"] = memory
        if threads is not None:
            change["threads"] = threads
        return cast("Job", self._ask("PATCH", f"/v1/jobs/{job}", change))

    def cancel(self, job: int) -> Job:
        """Stops a job for good; the files it has written stay. Its process may take a while to stop."""
        return cast("Job", self._ask("POST", f"/v1/jobs/{job}/cancel"))

    def cancel_jobs(
        self,
        state: State | Sequence[State] | None = None,
        label: str | Sequence[str] | None = None,
        user: int | None = None,
        everybody: bool = False,
    ) -> list[SelectedJob]:
        """Stops your jobs that have not ended: all, or those in a state and with all of these labels. `user` and
        `everybody` are for admins. Gives the jobs that were cancelled or that stop now, newest first.
        """
        return self._many("cancel", state, label, user, everybody)

    def remove(self, job: int) -> None:
        """Forgets a job that has ended; its output stays."""
        self._ask("DELETE", f"/v1/jobs/{job}")

    def remove_jobs(
        self,
        state: State | Sequence[State] | None = None,
        label: str | Sequence[str] | None = None,
        user: int | None = None,
        everybody: bool = False,
    ) -> list[SelectedJob]:
        """Forgets your jobs that have ended: all, or those in a state and with all of these labels."""
        return self._many("forget", state, label, user, everybody)

    def _many(self, what: str, state: Any, label: Any, user: int | None, everybody: bool) -> list[SelectedJob]:
        """Cancels or forgets jobs, request after request."""
        query = {"all": "true", "state": joined(state), "label": joined(label), "user": user}
        query["everybody"] = "true" if everybody else None
        jobs: list[SelectedJob] = []
        before: int | None = None
        while True:
            parts = {key: value for key, value in (query | {"before": before}).items() if value is not None}
            page = cast("SelectedJobs", self._ask("POST", f"/v1/jobs/{what}?{urlencode(parts)}"))
            jobs += page["jobs"]
            before = page["next_before"]
            if before is None:
                return jobs

    def node(self) -> Node:
        """The node, and what running jobs use of it."""
        return cast("Node", self._ask("GET", "/v1/node"))

    def logs(self, job: int, follow: bool = False) -> Log:
        """The lines of a job's log; with `follow` until the job has ended."""
        return Log(self, job, follow)

    def watch(self, job: int) -> Watch:
        """The events of a job until it has ended. A daemon that restarts meanwhile is waited for.

        >>> client = molsieve.Client(daemon)
        >>> job = client.submit("library.smi", None, "watched", memory="256MiB", threads=1)
        >>> [event.job["state"] for event in client.watch(job["id"]) if event.job][-1]
        'done'
        """
        return Watch(self, job)

    @overload
    def wait(self, job: int, *, timeout: float | None = None) -> Job: ...

    @overload
    def wait(self, job: Sequence[int], *, timeout: float | None = None) -> list[Job]: ...

    def wait(self, job: int | Sequence[int], *, timeout: float | None = None) -> Job | list[Job]:
        """Waits until a job has ended, or all of several. Returns the job, or the jobs in the order given; the `state`
        says how a job ended, and `error` why. A daemon that restarts meanwhile is waited for. After `timeout` seconds,
        a `TimeoutError` is raised, and the jobs continue.

        >>> client = molsieve.Client(daemon)
        >>> jobs = [client.submit("library.smi", None, f"w{at}", memory="256MiB", threads=1)["id"] for at in (1, 2)]
        >>> [job["state"] for job in client.wait(jobs)]
        ['done', 'done']
        """
        ids = [job] if isinstance(job, int) else list(job)
        until = None if timeout is None else time.monotonic() + timeout
        left = set(ids)
        while left:
            left -= self._ended(sorted(left)[:WAIT_JOBS], until)
        jobs = [self.job(one) for one in ids]
        return jobs[0] if isinstance(job, int) else jobs

    def _ended(self, ids: list[int], until: float | None) -> frozenset[int]:
        """Those of the jobs that have ended; waits until there is one, and for a daemon that is gone."""
        lost: float | None = None
        wait = RETRY_SECONDS[0]
        while True:
            seconds = ANSWER_SECONDS if until is None else until - time.monotonic()
            if seconds <= 0:
                raise TimeoutError(f"{len(ids)} jobs have not ended")
            try:
                answer = cast("EndList", self._ask("POST", "/v1/jobs/wait", {"jobs": ids}, seconds=seconds))
                if answer["ended"]:
                    return frozenset(job["id"] for job in answer["ended"])
                lost = None
            except DaemonError as error:
                if until is not None and time.monotonic() >= until:
                    continue
                lost = time.monotonic() if lost is None else lost
                gone = isinstance(error, NoDaemon) or error.status in (0, 503)
                if not gone or time.monotonic() - lost > RETURN_SECONDS:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, RETRY_SECONDS[1]) if lost else RETRY_SECONDS[0]

    def _ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """The answer to a request, as JSON."""
        for tries in range(1, BUSY_TRIES + 1):
            try:
                with self._open(method, target, body, headers, seconds) as (answer, _):
                    text = answer.read()
                    return json.loads(text) if text else None
            except DaemonError as error:
                if error.status != 503 or tries == BUSY_TRIES:
                    raise
                time.sleep(1)

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        """The answer to a request if it is a success, and its connection."""
        connection = http.client.HTTPConnection("molsieve", timeout=ANSWER_SECONDS)
        connection.sock = self._connect()
        connection.sock.settimeout(min(seconds, ANSWER_SECONDS))
        try:
            content = None if body is None else json.dumps(body)
            kind = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, target, content, {**kind, **(headers or {}), "Connection": "close"})
            # The answer closes the socket at its end; a stream is ended from outside by this copy.
            with connection.sock.dup() as copy:
                answer = connection.getresponse()
                if answer.status >= 400:
                    raise refused(answer)
                yield answer, copy
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, DaemonError):
                raise
            raise DaemonError(f"the connection to the daemon at {self.socket} broke: {error}") from error
        finally:
            connection.close()

    def _connect(self) -> socket.socket:
        path = self._tunnel.socket() if self._tunnel else str(self.socket)
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(ANSWER_SECONDS)
        try:
            stream.connect(path)
        except OSError as error:
            stream.close()
            if isinstance(error, PermissionError):
                raise DaemonError(f"{self.socket}: you are not allowed to use this daemon") from None
            hint = "start one with molsieve serve, or give its socket"
            raise NoDaemon(f"no daemon listens at {self.socket}", hint) from None
        return stream


T = TypeVar("T")
S = TypeVar("S", bound="Stream[Any]")


class Stream(Iterator[T]):
    """What the daemon sends over time. It ends with the job, or with `close`, which any thread may call."""

    def __init__(self, client: Client, job: int) -> None:
        self._client = client
        self._job = job
        self._closed = False
        self._socket: socket.socket | None = None
        self._items = self._to_the_end()

    def __next__(self) -> T:
        return next(self._items)

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream; the job continues."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _to_the_end(self) -> Iterator[T]:
        raise NotImplementedError

    @contextlib.contextmanager
    def _lines(self, target: str, **headers: str) -> Iterator[Iterator[str]]:
        """The lines of an answer."""
        with self._client._open("GET", target, headers=headers) as (answer, copy):
            self._socket = copy
            try:
                yield (line.decode(errors="replace").rstrip("\n") for line in answer)
            finally:
                self._socket = None


class Log(Stream[str]):
    """The lines of a job's log."""

    def __init__(self, client: Client, job: int, follow: bool) -> None:
        super().__init__(client, job)
        self._follow = follow

    def _to_the_end(self) -> Iterator[str]:
        follow = str(self._follow).lower()
        with self._lines(f"/v1/jobs/{self._job}/log?follow={follow}") as lines:
            yield from lines


class Watch(Stream[Event]):
    """The events of a job."""

    _after = 0

    def _to_the_end(self) -> Iterator[Event]:
        """The events of one stream after the other, until the job has ended."""
        lost: float | None = None
        wait = RETRY_SECONDS[0]
        while not self._closed:
            try:
                for event in self._stream():
                    lost, wait = None, RETRY_SECONDS[0]
                    yield event
                    if event.job and event.job["state"] in FINAL:
                        return
            except DaemonError as error:
                lost = time.monotonic() if lost is None else lost
                gone = isinstance(error, NoDaemon) or error.status in (0, 503)
                if not gone or time.monotonic() - lost > RETURN_SECONDS or self._after == 0:
                    raise
            if not self._closed:
                time.sleep(wait)
                wait = min(2 * wait, RETRY_SECONDS[1])

    def _stream(self) -> Iterator[Event]:
        with self._lines(f"/v1/jobs/{self._job}/events", **{"Last-Event-ID": str(self._after)}) as lines:
            yield from self._parse(lines)

    def _parse(self, lines: Iterator[str]) -> Iterator[Event]:
        """Server-sent events: lines `FIELD: VALUE` and a blank line. A line that begins with a colon is a comment."""
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif not value:
                if "data" in fields:
                    self._after = int(fields.get("id", self._after))
                    content = json.loads(fields["data"])
                    yield Event(job=content) if fields.get("event") == "state" else Event(progress=content)
                fields = {}


def refused(answer: http.client.HTTPResponse) -> DaemonError:
    """The error that an answer states."""
    try:
        error = json.loads(answer.read())["error"]
        message, field = str(error["message"]), error.get("field")
    except (ValueError, KeyError, TypeError):
        return DaemonError(f"the daemon answered with status {answer.status}", status=answer.status)
    if field and field not in message:
        message = f"{field}: {message}"
    first, _, hint = message.partition("; ")
    return DaemonError(first, hint or None, code=error["code"], status=answer.status)


def joined(words: Any) -> str | None:
    """Words as a parameter of the interface takes them."""
    return ",".join(items(words)) if words else None


def submit_options(labels: Any, after: Any, after_any: Any, retries: int | None, notify: Any) -> dict[str, Any]:
    """What is asked of a job besides its settings, as the interface takes it."""
    numbers = [[jobs] if isinstance(jobs, int) else list(jobs) for jobs in (after, after_any)]
    command = notify if notify is None or isinstance(notify, str) else shlex.join(notify)
    options: dict[str, Any] = {"labels": list(items(labels)), "after": numbers[0], "after_any": numbers[1]}
    options |= {"retries": retries, "notify": command}
    return {key: value for key, value in options.items() if value not in ([], None)}


def absolute(paths: Any) -> list[str]:
    """Paths as the daemon takes them. It reads files only."""
    found = items(paths)
    for path in found:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"the daemon reads files: write this {type(path).__name__} to one first")
    return [os.path.abspath(text(path)) for path in found]


def job_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as the HTTP interface takes them: lists are lists, and paths are absolute."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        how = FLAGS[name].how
        if value is None:
            continue
        if name == "exclude":
            found[name] = absolute(value)
        elif name == "step":
            found[name] = [job_step(step) for step in steps_of(value)]
        elif how in ("list", "switch or list", "repeated") and not isinstance(value, bool):
            found[name] = [PATHS.get(name, text)(item) for item in items(value)]
        else:
            found[name] = str(value) if name.endswith("_column") else value
    return found


def job_step(step: Mapping[str, Any]) -> dict[str, Any]:
    settings = job_settings({name: value for name, value in step.items() if name != "rules"})
    return {**settings, "rules": absolute(step.get("rules", ()))}


def absolute_reagents(value: Any) -> str:
    name, _, path = text(value).partition("=")
    return f"{name}={os.path.abspath(path)}"


def absolute_smarts(value: Any) -> str:
    """A SMARTS, or a file of them as the interface takes it: `@` and an absolute path."""
    smarts = text(value)
    if smarts.startswith("@") or smarts.endswith(SMARTS_ENDINGS):
        return "@" + os.path.abspath(smarts.removeprefix("@"))
    return smarts


# Settings that hold paths in their values.
PATHS: dict[str, Callable[[Any], str]] = {
    "reagents": absolute_reagents,
    "reject_smarts": absolute_smarts,
    "require_smarts": absolute_smarts,
    "parent_reject_smarts": absolute_smarts,
    "parent_require_smarts": absolute_smarts,
}
