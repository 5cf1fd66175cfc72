"""What the studio works at: a queue of jobs, one at a time, each watched by any number of pages.

A job is done by the worker process (``emsync.studio.worker``), which is kept warm. To stop one is
to kill that process; outputs appear whole or not at all, so nothing half written is left.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from emsync.errors import EmsyncError
from emsync.limits import one_line
from emsync.studio.room import FULL, is_full

MOST_WAITING = 8
SLOWEST = 900.0  # seconds that a job may take, and what it is allowed beside
IDLE = 600.0  # seconds after which a worker without work is let go
PACE = 0.1  # seconds between two reports of progress
LAST_BYTES = 4096  # of what the worker says on stderr, kept for when it breaks
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
    words: str = ""  # more of it, such as which piece
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
        self.told = 0.0  # when the job was last told
        self.more = 0.0  # seconds that it may take beyond those that each job may
        self.stopped: tuple[str, str] | None = None  # the state in which it shall end, and why
        self.finishing = False  # the worker has done it: it cannot be stopped any more
        self._later: asyncio.TimerHandle | None = None

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Add an event; of the states of a job, only the last is worth repeating."""
        number = self.events[-1][0] + 1 if self.events else 1
        if name in ("job", "end"):
            self.events = [event for event in self.events if event[1] != "job"]
            self.told = time.monotonic()
            if self._later is not None:
                self._later.cancel()
                self._later = None
        self.events.append((number, name, data))
        self.wake()

    def tell_job(self) -> None:
        """Tell how the job is, now or as soon as PACE allows."""
        wait = self.told + PACE - time.monotonic()
        if wait <= 0:
            self.tell("job", self.job.to_json())
        elif self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(wait, lambda: self.tell("job", self.job.to_json()))

    def wake(self) -> None:
        """Let those look who wait for an event."""
        self.changed.set()
        self.changed = asyncio.Event()


class Worker:
    """The process that does what needs time; started when there is work."""

    def __init__(self, command: tuple[str, ...] = (), limit: int = LONGEST_LINE) -> None:
        self.command = command or (sys.executable, "-P", "-m", "emsync.studio.worker")
        self.limit = limit
        self.process: asyncio.subprocess.Process | None = None
        self._said = b""
        self._listener: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()  # held while a process starts or ends

    async def run(self, task: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield what the worker answers to ``task``, up to the answer that ends it.

        EmsyncError where the process ends before that, or answers what cannot be read.
        """
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None
        with suppress(ConnectionError):  # it has just ended: what it says next is nothing
            process.stdin.write(json.dumps(task).encode() + b"\n")
            await process.stdin.drain()
        try:
            while line := await process.stdout.readline():
                answer = json.loads(line)
                is_last = answer["event"] in ("done", "failed")
                yield answer
                if is_last:
                    return
        except (ValueError, KeyError, TypeError) as error:  # too long a line is a ValueError
            raise EmsyncError("the worker answered what cannot be read; try once more") from error
        await process.wait()
        if self._listener is not None:
            await asyncio.wait([self._listener], timeout=1.0)
        raise EmsyncError(self._last_words(process.returncode))

    async def end(self) -> None:
        """Kill the process and those that it has started, whatever they are doing."""
        async with self._changing:
            process, self.process = self.process, None
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    _kill(process)
                await process.wait()

    async def _started(self) -> asyncio.subprocess.Process:
        """Return the process, which is started where there is none."""
        async with self._changing:
            if self.process is None or self.process.returncode is not None:
                self._said = b""
                self.process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=self.limit,
                    start_new_session=True,  # a Ctrl-C is for the server, which ends its worker
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
                self._listener = asyncio.create_task(self._listen(self.process))
            return self.process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Pass on to the terminal what the worker says there, and keep the last of it."""
        assert process.stderr is not None
        while said := await process.stderr.read(LAST_BYTES):
            self._said = (self._said + said)[-LAST_BYTES:]
            sys.stderr.write(said.decode(errors="replace"))

    def _last_words(self, code: int | None) -> str:
        lines = [line for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        why = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        hint = "; there may be too little memory" if code == -9 else ""
        said = f": {lines[-1].strip()}" if lines else ""
        return one_line(f"the worker ended {why}{hint}{said}")


def _kill(process: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


async def _nothing(job: Job, answer: dict[str, Any]) -> dict[str, Any] | None:
    return None


async def _no_end(job: Job) -> None:
    pass


class Jobs:
    """The queue.

    ``on_answer`` is awaited with each answer of the worker but progress and notes, and returns what
    pages are told of it; ``on_end`` with each job that has ended, before its pages are told.
    """

    on_answer: Callable[[Job, dict[str, Any]], Awaitable[dict[str, Any] | None]]
    on_end: Callable[[Job], Awaitable[None]]

    def __init__(
        self, worker: Worker | None = None, slowest: float = SLOWEST, idle: float = IDLE
    ) -> None:
        self.worker = worker or Worker()
        self.on_answer, self.on_end = _nothing, _no_end
        self.slowest, self.idle = slowest, idle
        self._entries: dict[str, _Entry] = {}
        self._queue: deque[_Entry] = deque()
        self._now: _Entry | None = None
        self._more = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to work; an event loop has to run."""
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the worker, and leave undone what runs and waits: it has no end, and is not told."""
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        await self.worker.end()
        for entry in self._entries.values():
            entry.wake()

    def get(self, id_: str) -> Job:
        """Return a job; KeyError where there is none."""
        return self._entries[id_].job

    def of(self, film: str) -> list[Job]:
        """Return the jobs of a film that wait or run."""
        found = [entry.job for entry in self._entries.values()]
        return [job for job in found if job.film == film and job.state not in ENDED]

    def submit(self, film: str, kind: str, task: Mapping[str, Any]) -> Job:
        """Put a job into the queue."""
        job = Job(secrets.token_hex(8), film, kind)
        entry = self._entries[job.id] = _Entry(job, {"kind": kind, "run": job.id, **task})
        self._queue.append(entry)
        self._count()
        self._forget()
        self._more.set()
        return job

    def allow(self, id_: str, more: float) -> None:
        """Let a job take so many seconds beyond those that each may take."""
        self._entries[id_].more = more

    def check_room(self) -> None:
        """Refuse more work where enough is waiting; BusyError."""
        if len(self._queue) >= MOST_WAITING:
            raise BusyError(f"{MOST_WAITING} jobs are waiting already; cancel one, or wait a while")

    async def cancel(self, id_: str) -> Job:
        """Cancel a job, whether it waits or runs, and wait for its end.

        One that has ended, or whose work is done, stays as it is.
        """
        entry = self._entries[id_]
        if entry in self._queue:
            self._queue.remove(entry)
            self._count()
            await self._end(entry, "cancelled")
        elif entry is self._now:
            await self._stop(entry, "cancelled")
            async for _ in self.events(id_):
                pass
        return entry.job

    async def cancel_all(self, film: str) -> None:
        """Cancel all jobs of a film."""
        for job in self.of(film):
            await self.cancel(job.id)

    def is_heard(self, id_: str, after: int) -> bool:
        """Return whether a job has ended, and its last event is the one of the number ``after``."""
        events = self._entries[id_].events
        return bool(events) and events[-1][1] == "end" and events[-1][0] <= after

    async def events(self, id_: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a job with numbers above ``after``, until it or the queue ends."""
        entry = self._entries[id_]
        while True:
            changed = entry.changed  # taken first, so that nothing is missed
            for event in [event for event in entry.events if event[0] > after]:
                after = event[0]
                yield event
            if self._closed or self.is_heard(id_, after):
                return
            await changed.wait()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._more.clear()
                try:
                    await asyncio.wait_for(self._more.wait(), self.idle)
                except TimeoutError:
                    await self.worker.end()
            entry = self._now = self._queue.popleft()
            self._count()
            entry.job.state, entry.job.stage, entry.job.place = "running", "Starting", 0
            entry.tell("job", entry.job.to_json())
            await self._work(entry)
            self._now = None

    async def _work(self, entry: _Entry) -> None:
        limit = asyncio.create_task(self._limit(entry))
        state, reason = "done", ""
        try:
            async for answer in self.worker.run(entry.task):
                if entry.stopped:
                    break
                if answer["event"] == "failed":
                    state, reason = "failed", str(answer["reason"])
                else:
                    await self._hear(entry, answer)
        except Exception as error:
            await self.worker.end()  # it may be in the midst of something
            state, reason = "failed", _sentence(error)
        finally:
            limit.cancel()
        if entry.stopped:
            await self.worker.end()
            state, reason = entry.stopped
        await self._end(entry, state, reason)

    async def _limit(self, entry: _Entry) -> None:
        begun, most = time.monotonic(), self.slowest
        while (left := begun + most - time.monotonic()) > 0:
            await asyncio.sleep(left)
            most = self.slowest + entry.more  # it may have been allowed more meanwhile
        minutes = f"{most / 60:.3g} minutes"
        await self._stop(entry, "failed", f"it took more than {minutes}, and was ended")

    async def _stop(self, entry: _Entry, state: str, reason: str = "") -> None:
        """Let the running job end in ``state`` at once, unless its work is done."""
        if not (entry.finishing or entry.stopped):
            entry.stopped = state, reason
            await self.worker.end()

    async def _hear(self, entry: _Entry, answer: dict[str, Any]) -> None:
        """Take in what the worker answers."""
        job, event = entry.job, answer["event"]
        if event == "progress":
            job.stage, job.share = answer["stage"], answer["share"]
            job.words = answer.get("words", "")
            entry.tell_job()
        elif event == "note":
            job.notes.append(answer["text"])
        elif event == "done":
            entry.finishing, job.result = True, answer["result"]
            await self.on_answer(job, answer)
        elif told := await self.on_answer(job, answer):
            entry.tell(event, told)

    async def _end(self, entry: _Entry, state: str, reason: str = "") -> None:
        job = entry.job
        job.state, job.reason, job.place = state, reason, 0
        job.share = 1.0 if state == "done" else job.share
        try:
            await self.on_end(job)
        except Exception as error:
            job.state, job.reason = "failed", _sentence(error)
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


def _sentence(error: Exception) -> str:
    if is_full(error):
        return FULL
    if isinstance(error, EmsyncError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or 'a file'}"
    return f"a fault in emsync: {type(error).__name__}: {error}"
