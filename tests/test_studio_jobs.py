"""The queue of the studio: order, an end for each job whatever its worker does, and its events."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emsync.studio import jobs as module
from emsync.studio.jobs import MOST_ENDED, MOST_WAITING, BusyError, Event, Job, Jobs, Worker

FAKE = (sys.executable, "-I", "-S", str(Path(__file__).with_name("studio_fake.py")))
DONE = ["say", {"event": "done", "result": {}}]
FOREVER = ["wait", 60]
PID = ["pid", None]


def progress(share: float) -> list[Any]:
    return ["say", {"event": "progress", "stage": "Working", "share": share}]


def run(act: Callable[[Jobs], Awaitable[None]], **options: Any) -> None:
    """Run ``act`` with a queue whose worker is the fake."""

    async def all_of_it() -> None:
        limit = options.pop("limit", 2**20)
        jobs = Jobs(Worker(FAKE, limit), **options)
        jobs.start()
        try:
            async with asyncio.timeout(20):
                await act(jobs)
        finally:
            await jobs.stop()

    asyncio.run(all_of_it())


def add(jobs: Jobs, *steps: list[Any], film: str = "film") -> Job:
    return jobs.submit(film, "test", {"steps": list(steps)})


async def events(jobs: Jobs, job: Job, after: int = 0) -> list[Event]:
    return [event async for event in jobs.events(job.id, after)]


async def began(jobs: Jobs, job: Job) -> None:
    """Wait until the worker has answered something to a job."""
    async for _, _, data in jobs.events(job.id):
        if data.get("stage") == "Working":
            return


def test_jobs_are_done_one_after_the_other_and_say_their_place() -> None:
    async def act(jobs: Jobs) -> None:
        ended: list[str] = []

        async def note(job: Job) -> None:
            ended.append(job.id)

        jobs.on_end = note
        given = [add(jobs, progress(0.5), DONE) for _ in range(4)]
        assert [job.place for job in given] == [0, 1, 2, 3]
        told = await events(jobs, given[3])
        assert ended == [job.id for job in given]
        assert all(job.state == "done" and job.share == 1.0 for job in given)
        assert told[-1][1] == "end" and told[-1][2]["state"] == "done"

    run(act)


def test_the_place_of_those_that_wait_counts_down() -> None:
    async def act(jobs: Jobs) -> None:
        first, second, third = (add(jobs, progress(0), FOREVER) for _ in range(3))
        await began(jobs, first)
        assert (first.place, second.place, third.place) == (0, 1, 2)
        await jobs.cancel(second.id)
        assert (second.state, third.place) == ("cancelled", 1)
        await jobs.cancel(first.id)
        await began(jobs, third)
        assert third.place == 0 and third.state == "running"

    run(act)


def test_one_worker_does_job_after_job_and_another_once_it_was_stopped() -> None:
    async def act(jobs: Jobs) -> None:
        first, second = add(jobs, PID), add(jobs, PID)
        await events(jobs, second)
        assert first.result == second.result
        third, fourth = add(jobs, progress(0), FOREVER), add(jobs, PID)
        await began(jobs, third)
        at = time.monotonic()
        assert (await jobs.cancel(third.id)).state == "cancelled"
        assert time.monotonic() - at < 5.0
        await events(jobs, fourth)
        assert fourth.result != first.result
        with pytest.raises(ProcessLookupError):
            os.kill(first.result["pid"], 0)

    run(act)


def test_to_cancel_what_is_just_beginning_ends_it_at_once() -> None:
    async def act(jobs: Jobs) -> None:
        job = add(jobs, FOREVER)
        for _ in range(3):
            await asyncio.sleep(0)
        assert job.state == "running"
        assert (await jobs.cancel(job.id)).state == "cancelled"

    run(act)


def test_to_cancel_twice_or_late_changes_nothing() -> None:
    async def act(jobs: Jobs) -> None:
        job = add(jobs, progress(0), FOREVER)
        await began(jobs, job)
        await asyncio.gather(jobs.cancel(job.id), jobs.cancel(job.id))
        assert job.state == "cancelled"
        done = add(jobs, DONE)
        told = await events(jobs, done)
        assert (await jobs.cancel(done.id)).state == "done"
        assert await events(jobs, done) == told[-1:]

    run(act)


def test_what_the_worker_has_done_is_taken_in_although_it_is_cancelled_then() -> None:
    async def act(jobs: Jobs) -> None:
        taking, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(job: Job, answer: dict[str, Any]) -> None:
            taking.set()
            await go_on.wait()

        jobs.on_answer = slowly
        first, second = add(jobs, DONE), add(jobs, DONE)
        await taking.wait()
        ends = [asyncio.create_task(jobs.cancel(first.id)) for _ in range(2)]
        await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(*ends)
        await events(jobs, second)
        assert (first.state, second.state) == ("done", "done")

    run(act)


def test_two_jobs_of_which_the_first_is_cancelled_while_it_ends() -> None:
    async def act(jobs: Jobs) -> None:
        ending, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(job: Job) -> None:
            ending.set()
            await go_on.wait()

        jobs.on_end = slowly
        first, second = add(jobs, progress(0), FOREVER), add(jobs, DONE)
        await began(jobs, first)
        one = asyncio.create_task(jobs.cancel(first.id))
        await ending.wait()
        other = asyncio.create_task(jobs.cancel(first.id))
        await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(one, other)
        await events(jobs, second)
        assert (first.state, second.state) == ("cancelled", "done")

    run(act)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([["complain", "MemoryError: too much\n"], ["exit", 3]],
         "the worker ended with code 3: MemoryError: too much"),
        ([["die", None]], "the worker ended by signal 9; there may be too little memory"),
        ([["exit", 0]], "the worker ended with code 0"),
        ([["write", "no JSON\n"], FOREVER], "the worker answered what cannot be read"),
        ([["say", [1]], FOREVER], "the worker answered what cannot be read"),
        ([["say", {"none": 1}], FOREVER], "the worker answered what cannot be read"),
        ([["long", 70_000], FOREVER], "the worker answered what cannot be read"),
        ([["say", {"event": "failed", "reason": "the film is black"}]], "the film is black"),
        ([["say", {"event": "done"}], FOREVER], "a fault in emsync: KeyError"),
    ],
)  # fmt: skip
def test_a_worker_that_breaks_ends_its_job_in_a_sentence_and_the_next_is_done(
    steps: list[list[Any]], reason: str
) -> None:
    async def act(jobs: Jobs) -> None:
        broken, next_ = add(jobs, progress(0), *steps), add(jobs, DONE)
        await events(jobs, next_)
        assert broken.state == "failed" and broken.reason.startswith(reason)
        assert "\n" not in broken.reason
        assert next_.state == "done"

    run(act, limit=65536)


def test_what_the_studio_cannot_take_in_ends_the_job_and_not_the_queue() -> None:
    async def act(jobs: Jobs) -> None:
        async def refuse(job: Job, answer: dict[str, Any]) -> None:
            if job is first:
                raise OSError(28, "No space left on device", "project.json")

        async def refuse_end(job: Job) -> None:
            if job is second:
                raise RuntimeError("odd")

        jobs.on_answer, jobs.on_end = refuse, refuse_end
        first = add(jobs, ["say", {"event": "film"}], FOREVER)
        second, third = add(jobs, DONE), add(jobs, DONE)
        await events(jobs, third)
        assert first.reason == "the disk is full; make room, and try once more"
        assert second.reason == "a fault in emsync: RuntimeError: odd"
        assert [job.state for job in (first, second, third)] == ["failed", "failed", "done"]

    run(act)


def test_a_job_that_takes_too_long_is_ended() -> None:
    async def act(jobs: Jobs) -> None:
        first, second = add(jobs, progress(0), FOREVER), add(jobs, DONE)
        await events(jobs, second)
        assert (first.state, second.state) == ("failed", "done")
        assert first.reason == "it took more than 0.005 minutes, and was ended"

    run(act, slowest=0.3)


def test_a_job_may_be_allowed_more_time_while_it_runs() -> None:
    async def act(jobs: Jobs) -> None:
        first = add(jobs, progress(0), ["wait", 0.6], ["say", {"event": "done", "result": {}}])
        jobs.allow(first.id, 60)
        await events(jobs, first)
        assert first.state == "done"

    run(act, slowest=0.3)


def test_progress_is_told_ten_times_a_second_at_most_and_the_last_one_too() -> None:
    async def act(jobs: Jobs) -> None:
        steps = [progress(i / 2000) for i in range(2000)]
        job = add(jobs, *steps, ["wait", 0.25], DONE)
        begun = time.monotonic()
        told = [event async for event in jobs.events(job.id)]
        seconds = time.monotonic() - begun
        shares = [data["share"] for _, name, data in told if name == "job"]
        assert len(shares) <= 10 * seconds + 4
        assert shares == sorted(shares) and shares[-1] == 0.9995

    run(act)


def test_who_comes_back_hears_what_he_has_missed_and_nothing_twice() -> None:
    async def act(jobs: Jobs) -> None:
        async def tell(job: Job, answer: dict[str, Any]) -> dict[str, Any]:
            return {"take": answer.get("take")}

        jobs.on_answer = tell
        takes = [["say", {"event": "candidate", "take": i}] for i in range(3)]
        job = add(jobs, *takes, progress(0.5), DONE)
        first = [event async for event in jobs.events(job.id)]
        numbers = [number for number, _, _ in first]
        assert numbers == sorted(set(numbers))
        one = next(number for number, _, data in first if data.get("take") == 1)
        again = await events(jobs, job, after=one)
        assert [data.get("take") for _, name, data in again if name == "candidate"] == [2]
        assert again[-1][1] == "end"
        assert await events(jobs, job, after=numbers[-1]) == []
        # of the states that are past, none is repeated
        assert [name for _, name, _ in await events(jobs, job)].count("job") == 0

    run(act)


def test_any_number_of_pages_hears_a_job() -> None:
    async def act(jobs: Jobs) -> None:
        job = add(jobs, progress(0.25), ["wait", 0.05], DONE)
        heard = await asyncio.gather(*(events(jobs, job) for _ in range(5)))
        assert all(told == heard[0] for told in heard) and heard[0][-1][1] == "end"

    run(act)


def test_notes_are_kept() -> None:
    async def act(jobs: Jobs) -> None:
        job = add(jobs, ["say", {"event": "note", "text": "its sound is silent"}], DONE)
        told = await events(jobs, job)
        assert told[-1][2]["notes"] == ["its sound is silent"]

    run(act)


def test_a_full_queue_is_refused_in_a_sentence() -> None:
    async def act(jobs: Jobs) -> None:
        running = add(jobs, progress(0), FOREVER)
        await began(jobs, running)
        for _ in range(MOST_WAITING):
            jobs.check_room()
            add(jobs, DONE)
        with pytest.raises(BusyError, match=f"{MOST_WAITING} jobs are waiting already"):
            jobs.check_room()
        await jobs.cancel_all("film")
        jobs.check_room()
        assert jobs.of("film") == []

    run(act)


def test_all_jobs_of_one_film_are_cancelled_and_no_others() -> None:
    async def act(jobs: Jobs) -> None:
        running = add(jobs, progress(0), FOREVER, film="one")
        queued, other = add(jobs, DONE, film="one"), add(jobs, DONE, film="two")
        await began(jobs, running)
        await jobs.cancel_all("one")
        await events(jobs, other)
        assert [j.state for j in (running, queued, other)] == ["cancelled", "cancelled", "done"]

    run(act)


def test_an_idle_worker_is_let_go_and_started_again() -> None:
    async def act(jobs: Jobs) -> None:
        first = add(jobs, PID)
        await events(jobs, first)
        while jobs.worker.process is not None:
            await asyncio.sleep(0.01)
        second = add(jobs, PID)
        await events(jobs, second)
        assert first.result != second.result

    run(act, idle=0.05)


def test_when_the_queue_stops_nothing_has_an_end_and_who_listens_is_let_go() -> None:
    async def act(jobs: Jobs) -> None:
        running, waiting = add(jobs, progress(0), FOREVER), add(jobs, DONE)
        ended: list[Job] = []

        async def note(job: Job) -> None:
            ended.append(job)

        jobs.on_end = note
        await began(jobs, running)
        process = jobs.worker.process
        heard = asyncio.create_task(events(jobs, running))
        await asyncio.sleep(0)
        at = time.monotonic()
        await jobs.stop()
        assert time.monotonic() - at < 5.0
        assert (await heard)[-1][1] == "job" and not ended
        assert (running.state, waiting.state) == ("running", "queued")
        assert process is not None and process.returncode == -9

    run(act)


def test_what_has_ended_is_forgotten_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(jobs: Jobs) -> None:
        monkeypatch.setattr(module, "MOST_ENDED", 2)
        given = [add(jobs, DONE) for _ in range(5)]
        await events(jobs, given[-1])
        last = add(jobs, DONE)
        await events(jobs, last)
        for job in given[:3]:
            with pytest.raises(KeyError):
                jobs.get(job.id)
        assert [jobs.get(job.id) for job in given[3:]] == given[3:]

    assert MOST_ENDED >= 100
    run(act)


def test_what_the_worker_says_on_stderr_is_shown_in_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def act(jobs: Jobs) -> None:
        job = add(jobs, ["complain", "a trace"], ["exit", 1])
        await events(jobs, job)

    run(act)
    assert "a trace" in capsys.readouterr().err
