"""Work spread over processes, an item at a time each; what a process dies at is begun again.

Each has a pipe of its own and shares no lock with the others, so that its death, by kill -9 or for
want of memory, costs what it was at and nothing else. They leave Ctrl-C to this process, and end
with it.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

from emsync.errors import EmsyncError, warn

Item = TypeVar("Item")
Result = TypeVar("Result")

DEATHS: Final = 2  # of processes at one item, after which it is begun no more
AGAIN: Final = "a process has died, perhaps for want of memory; {} is begun again"
PATIENCE = 5.0  # seconds that a process has to clear up once it is told to end
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@dataclass(frozen=True)
class Died:
    """What becomes of an item at which DEATHS processes have died."""


def cores() -> int:
    """Return how many processors this process may use: of a scheduler, those that it lends."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    ahead: int | None = None,
    name: Callable[[Item], str] = lambda _: "what it was at",
) -> Generator[tuple[int, Result | Died]]:
    """Yield each item's place and what ``function`` makes of it, as soon as it is made.

    ``function`` is one that another process can import. The ``workers`` processes share the
    processors; none begins an item that is ``ahead`` places or more after the first that is not
    done. What ``function`` raises is raised here; EmsyncError where no process can be started. An
    item that is begun again is told of, by its ``name``.
    """
    waiting, deaths = deque(range(len(items))), Counter[int]()
    most = max(1, min(workers, len(items)))
    threads = max(1, cores() // most)
    team: list[_Worker[Item, Result]] = []
    is_sure = False  # that processes can be started; until then there is one
    try:
        while waiting or any(worker.is_busy for worker in team):
            first = min([*islice(waiting, 1), *(w.place for w in team if w.is_busy)])
            reach = len(items) if ahead is None else first + ahead
            while waiting and waiting[0] < reach:
                worker = next((worker for worker in team if not worker.is_busy), None)
                if worker is None and len(team) < (most if is_sure else 1):
                    team.append(worker := _Worker(function, threads))
                if worker is None:
                    break
                worker.begin(place := waiting.popleft(), items[place])
            for worker in _stirring(team):
                try:
                    kind, content = worker.hear()
                except (EOFError, OSError):
                    team.remove(worker)
                    _end([worker])
                    deaths[worker.place] += 1
                    if deaths[worker.place] < DEATHS:
                        waiting.appendleft(worker.place)
                        if is_sure:
                            warn(AGAIN.format(name(items[worker.place])))
                    elif is_sure:
                        yield worker.place, Died()
                    else:
                        raise EmsyncError(
                            "cannot start a process to work in; a script of your own that needs "
                            'some does so below `if __name__ == "__main__":`'
                        ) from None
                else:
                    is_sure = True
                    if kind == "raised":
                        raise content
                    if kind == "made":
                        yield worker.place, content
    finally:
        _end(team)


def in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, ahead: int
) -> Generator[Result | Died]:
    """Yield what ``function`` makes of each item, in the order of the items; see ``spread``."""
    early: dict[int, Result | Died] = {}
    following = 0
    with closing(spread(function, items, workers, ahead)) as found:
        for place, result in found:
            early[place] = result
            while following in early:
                yield early.pop(following)
                following += 1


class _Worker(Generic[Item, Result]):
    """A process, and the place of the item that it is at, or was at last."""

    def __init__(self, function: Callable[[Item], Result], threads: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, threads), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends with the process
        self.is_busy, self.place = False, 0
        self._tell(function)

    def begin(self, place: int, item: Item) -> None:
        """Let it work on an item."""
        self.is_busy, self.place = True, place
        self._tell(item)

    def _tell(self, what: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # ``hear`` finds out
            self.pipe.send(what)

    def hear(self) -> tuple[str, Any]:
        """Return what it says: that it was "born", or what it has "made", or "raised".

        EOFError or OSError where it is dead.
        """
        if not self.pipe.poll():  # a process that it had started may hold its end of the pipe
            raise EOFError
        kind, content = self.pipe.recv()
        self.is_busy = kind == "born"
        return kind, content


def _stirring(team: "list[_Worker[Item, Result]]") -> "list[_Worker[Item, Result]]":
    """Wait until some of the busy say something or die; return those."""
    handles = {worker: (worker.pipe, worker.process.sentinel) for worker in team if worker.is_busy}
    ready = set(wait([handle for both in handles.values() for handle in both]))
    return [worker for worker, both in handles.items() if ready.intersection(both)]


def _end(team: "Iterable[_Worker[Item, Result]]") -> None:
    for worker in team:
        worker.pipe.close()
        worker.process.terminate()
    for worker in team:
        worker.process.join(PATIENCE)
        worker.process.kill()
        worker.process.join()


# --- in a process of its own ----------------------------------------------------------------------


def _serve(pipe: Connection, threads: int) -> None:
    """Do the function that comes first with each item that comes after it."""
    for name in THREADS:  # before the libraries that heed them are imported
        os.environ.setdefault(name, str(threads))
    for number in ("SIGINT", "SIGHUP"):
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # partial files are removed
    _follow_parent()
    pipe.send(("born", None))
    with suppress(EOFError, ConnectionError):  # nobody asks any more
        function = pipe.recv()
        while True:
            item = pipe.recv()
            try:
                answer = "made", function(item)
            except Exception as error:
                raised = _portable(error)
                raised.add_note(f"in a process of its own:\n{traceback.format_exc()}")
                answer = "raised", raised
            pipe.send(answer)
    os._exit(0)  # at once: what is asked to end while it ends complains


def _portable(error: Exception) -> Exception:
    """Return an error as another process can have it: where it cannot be pickled, its words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _follow_parent() -> None:
    """End this process when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
