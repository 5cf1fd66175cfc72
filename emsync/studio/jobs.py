"""What the studio works at: a queue of jobs, one at a time, each watched by any number of pages.

A job is done by the worker process (``emsync.studio.worker``), which is kept warm. To cancel one is
to end that process; outputs appear whole or not at all, so nothing half written is left.
"""

import asyncio
import json
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from emsync.errors import EmsyncError
from emsync.limits import one_line

MOST_WAITING = 8
SLOWEST = 900.0  # seconds that a job may take
IDLE = 600.0  # seconds after which a worker without work is let go
PACE = 0.1  # seconds between two reports of progress
LAST_LINES = 40  # of what the worker says on stderr, kept for when it breaks
MOST_ENDED = 200  # jobs that are remembered once they have ended
LONGEST_LINE = 64 * 2**20  # bytes of an answer

ENDED = ("done", "failed", "cancelled")
Event = tuple[int, str, dict[str, Any]]  # its number, its name, and what it says


class BusyError(EmsyncError):
    """The queue is full."""


@dataclass
class Job:
    """A piece of work for a film, as the page sees it."""

    id: str
    film: str
    kind: str
    state: str = "queued"
    place: int = 0  # in the queue; 0 is the one that runs
    stage: str = ""  # what is being done
    share: float = 0.0  # of it
    reason: str = ""  # why it failed
    notes: list[str] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return asdict(self)


class _Entry:
    """A job with its task, its events, and who waits for the next."""

    def __init__(self, job: Job, task: dict[str, Any]) -> None:
        self.job, self.task = job, task
        self.events: list[Event] = []
        self.changed = asyncio.Event()
        self.told = 0.0  # when progress was last told

    def tell(self, name: str, data: dict[str, Any]) -> None:
        number = self.events[-1][0] + 1 if self.events else 1
        # of the states of a job, only the last is worth repeating
        if name == "job":
            self.events = [event for event in self.events if event[1] != "job"]
        self.events.append((number, name, data))
        self.changed.set()
        self.changed = asyncio.Event()


class Worker:
    """The process that does what needs time; started when there is work."""

    def __init__(self, command: tuple[str, ...] = ()) -> None:
        self.command = command or (sys.executable, "-m", "emsync.studio.worker")
        self.process: asyncio.subprocess.Process | None = None
        self.said: deque[str] = deque(maxlen=LAST_LINES)
        self._listener: asyncio.Task[None] | None = None

    async def run(self, task: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield what the worker answers to ``task``, up to the answer that ends it.

        EmsyncError where the process ends before that.
        """
        if self.process is None or self.process.returncode is not None:
            await self._start()
        process = self.process
        assert process is not None and process.stdin is not None and process.stdout is not None
        with suppress(ConnectionError):  # it has just ended: what it says next is nothing
            process.stdin.write(json.dumps(task).encode() + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            answer = json.loads(line)
            yield answer
            if answer["event"] in ("done", "failed"):
                return
        await process.wait()
        raise EmsyncError(self._last_words(process.returncode))

    async def end(self) -> None:
        """End the process, whatever it is doing."""
        process, self.process = self.process, None
        listener, self._listener = self._listener, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if listener is not None:
            listener.cancel()

    async def _start(self) -> None:
        self.said.clear()
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,  # a Ctrl-C is for the server, which ends its worker
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._listener = asyncio.create_task(self._listen(self.process))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self.said.append(line.decode(errors="replace").rstrip())

    def _last_words(self, code: int | None) -> str:
        said = next((line for line in reversed(self.said) if line.strip()), "")
        why = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        hint = "; it may have run out of memory" if code == -9 else ""
        return one_line(f"the worker ended {why}{hint}" + (f": {said}" if said else ""))


async def _nothing(job: Job, answer: dict[str, Any]) -> dict[str, Any] | None:
    return None


async def _no_end(job: Job) -> None:
    pass


class Jobs:
    """The queue.

    ``on_answer`` is awaited with each answer of the worker but progress, and returns what pages are
    told of it; ``on_end`` with each job that has ended, before its pages are told.
    """

    on_answer: Callable[[Job, dict[str, Any]], Awaitable[dict[str, Any] | None]]
    on_end: Callable[[Job], Awaitable[None]]

    def __init__(self, worker: Worker | None = None, slowest: float = SLOWEST) -> None:
        self.worker = worker or Worker()
        self.on_answer, self.on_end, self.slowest = _nothing, _no_end, slowest
        self._entries: dict[str, _Entry] = {}
        self._queue: deque[_Entry] = deque()
        self._now: _Entry | None = None
        self._working: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work; an event loop has to run."""
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the worker, and leave what waits undone."""
        for task in (self._runner, self._working):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self.worker.end()

    def get(self, id_: str) -> Job:
        """Return a job; KeyError where there is none."""
        return self._entries[id_].job

    def of(self, film: str) -> list[Job]:
        """Return the jobs of a film that wait or run."""
        found = [entry.job for entry in self._entries.values()]
        return [job for job in found if job.film == film and job.state not in ENDED]

    def submit(self, film: str, kind: str, task: Mapping[str, Any]) -> Job:
        """Put a job into the queue; BusyError where it is full."""
        if len(self._queue) >= MOST_WAITING:
            raise BusyError(f"{MOST_WAITING} jobs are waiting already; cancel one, or wait a while")
        job = Job(secrets.token_hex(8), film, kind)
        entry = self._entries[job.id] = _Entry(job, {"kind": kind, **task})
        self._queue.append(entry)
        self._count()
        self._forget()
        self._more.set()
        return job

    async def cancel(self, id_: str) -> Job:
        """Cancel a job, whether it waits or runs; one that has ended stays as it is."""
        entry = self._entries[id_]
        if entry.job.state in ENDED:
            return entry.job
        if entry is self._now and self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])
        elif entry in self._queue:
            self._queue.remove(entry)
            self._count()
            await self._end(entry, "cancelled")
        return entry.job

    async def cancel_all(self, film: str) -> None:
        """Cancel all jobs of a film."""
        for job in self.of(film):
            await self.cancel(job.id)

    async def events(self, id_: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a job with numbers above ``after``, until it has ended."""
        entry = self._entries[id_]
        while True:
            changed = entry.changed
            for event in [event for event in entry.events if event[0] > after]:
                after = event[0]
                yield event
                if event[1] == "end":
                    return
            if entry.job.state in ENDED and entry.events and entry.events[-1][0] <= after:
                return
            await changed.wait()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._more.clear()
                try:
                    await asyncio.wait_for(self._more.wait(), IDLE)
                except TimeoutError:
                    await self.worker.end()
            entry = self._now = self._queue.popleft()
            self._count()
            entry.job.state, entry.job.stage = "running", "Starting"
            entry.tell("job", entry.job.to_json())
            self._working = asyncio.create_task(self._work(entry))
            await asyncio.wait([self._working])
            self._now = self._working = None

    async def _work(self, entry: _Entry) -> None:
        job = entry.job
        try:
            async with asyncio.timeout(self.slowest):
                async for answer in self.worker.run(entry.task):
                    if job.state in ENDED:
                        return
                    await self._hear(entry, answer)
        except asyncio.CancelledError:
            await self.worker.end()
            await self._end(entry, "cancelled")
        except TimeoutError:
            await self.worker.end()
            minutes = f"{self.slowest / 60:.0f} minutes"
            await self._end(entry, "failed", f"it took more than {minutes}, and was ended")
        except (EmsyncError, OSError) as error:
            await self._end(entry, "failed", str(error))

    async def _hear(self, entry: _Entry, answer: dict[str, Any]) -> None:
        """Take in what the worker answers."""
        job, event = entry.job, answer["event"]
        if event == "progress":
            job.stage, job.share = answer["stage"], answer["share"]
            now = time.monotonic()
            if now - entry.told >= PACE:
                entry.told = now
                entry.tell("job", job.to_json())
        elif event == "note":
            job.notes.append(answer["text"])
        elif event == "failed":
            await self._end(entry, "failed", answer["reason"])
        elif event == "done":
            job.result = answer.get("result", {})
            await self.on_answer(job, answer)
            await self._end(entry, "done")
        elif told := await self.on_answer(job, answer):
            entry.tell(event, told)

    async def _end(self, entry: _Entry, state: str, reason: str = "") -> None:
        job = entry.job
        if job.state in ENDED:
            return
        job.state, job.reason, job.place = state, reason, 0
        job.share = 1.0 if state == "done" else job.share
        await self.on_end(job)
        entry.tell("end", job.to_json())

    def _count(self) -> None:
        """Tell those that wait how many are before them."""
        for place, entry in enumerate(self._queue, 1 if self._now else 0):
            if entry.job.place != place or not entry.events:
                entry.job.place = place
                entry.tell("job", entry.job.to_json())

    def _forget(self) -> None:
        ended = [id_ for id_, entry in self._entries.items() if entry.job.state in ENDED]
        for id_ in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._entries[id_]
