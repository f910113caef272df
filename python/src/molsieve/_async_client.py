"""The client of the daemon for programs with asyncio: each request in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from ._client import Client, Event, Stream
from ._daemon_answers import Job, Node, SelectedJob, State
from ._settings import AnyPath, AnyPaths

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import AllSettings

T = TypeVar("T")


class AsyncClient:
    """`Client` with methods to await.

    >>> async def main():
    ...     client = molsieve.AsyncClient(daemon)
    ...     job = await client.submit("library.smi", None, "cleaned", memory="256MiB", threads=1)
    ...     return (await client.wait(job["id"]))["state"]
    >>> import asyncio
    >>> asyncio.run(main())
    'done'
    """

    def __init__(self, socket: AnyPath | None = None) -> None:
        self._client = Client(socket)

    async def submit(
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
        """Submits a job: see `Client.submit`."""
        return await asyncio.to_thread(
            self._client.submit,
            library,
            rules,
            output,
            task=task,
            name=name,
            priority=priority,
            once=once,
            labels=labels,
            after=after,
            after_any=after_any,
            retries=retries,
            notify=notify,
            **settings,
        )

    async def jobs(
        self,
        state: State | Sequence[State] | None = None,
        user: int | None = None,
        limit: int | None = None,
        label: str | Sequence[str] | None = None,
    ) -> list[Job]:
        """The jobs, newest first: all, or `limit` of them; with `label`, those that have all of these labels."""
        return await asyncio.to_thread(self._client.jobs, state, user, limit, label)

    async def job(self, job: int) -> Job:
        """One job."""
        return await asyncio.to_thread(self._client.job, job)

    async def set(
        self, job: int, *, priority: int | None = None, memory: int | str | None = None, threads: int | None = None
    ) -> Job:
        """Changes a job that has not ended: `priority`, from -10 to 10, of which the higher goes first; and of a job
        that waits, `memory`, such as `"2GiB"`, and `threads`."""
        return await asyncio.to_thread(self._client.set, job, priority=priority, memory=memory, threads=threads)

    async def cancel(self, job: int) -> Job:
        """Stops a job for good; the files it has written stay."""
        return await asyncio.to_thread(self._client.cancel, job)

    async def cancel_jobs(
        self,
        state: State | Sequence[State] | None = None,
        label: str | Sequence[str] | None = None,
        user: int | None = None,
        everybody: bool = False,
    ) -> list[SelectedJob]:
        """Stops your jobs that have not ended: see `Client.cancel_jobs`."""
        return await asyncio.to_thread(self._client.cancel_jobs, state, label, user, everybody)

    async def remove_jobs(
        self,
        state: State | Sequence[State] | None = None,
        label: str | Sequence[str] | None = None,
        user: int | None = None,
        everybody: bool = False,
    ) -> list[SelectedJob]:
        """Forgets your jobs that have ended: see `Client.remove_jobs`."""
        return await asyncio.to_thread(self._client.remove_jobs, state, label, user, everybody)

    async def remove(self, job: int) -> None:
        """Forgets a job that has ended; its output stays."""
        await asyncio.to_thread(self._client.remove, job)

    async def node(self) -> Node:
        """The node, and what running jobs use of it."""
        return await asyncio.to_thread(self._client.node)

    async def logs(self, job: int, follow: bool = False) -> AsyncIterator[str]:
        """The lines of a job's log; with `follow` until the job has ended."""
        async for line in each(self._client.logs(job, follow)):
            yield line

    async def watch(self, job: int) -> AsyncIterator[Event]:
        """The events of a job until it has ended."""
        async for event in each(self._client.watch(job)):
            yield event

    @overload
    async def wait(self, job: int) -> Job: ...

    @overload
    async def wait(self, job: Sequence[int]) -> list[Job]: ...

    async def wait(self, job: int | Sequence[int]) -> Job | list[Job]:
        """Waits until a job has ended, or all of several. Returns the job, or the jobs in the order given."""
        if not isinstance(job, int):
            return [await self.wait(one) for one in job]
        last = [event.job async for event in self.watch(job) if event.job]
        return last[-1]


async def each(stream: Stream[T]) -> AsyncIterator[T]:
    """The items of a stream, each waited for in a thread, which ends when nobody waits for the item any longer."""
    try:
        while (item := await asyncio.to_thread(next, stream, None)) is not None:
            yield item
    finally:
        stream.close()
