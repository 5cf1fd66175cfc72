"""Towers learn which music belongs to a film; a run that stops goes on as if it had not."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from synchrony_toys import ROWS, ToyFeed, synchrony, toy_films

from emsync.encoders.threads import answering
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.measured import CHANGES, measure
from emsync.synchrony.training import Syncing, loss_of
from emsync.training import rounds
from emsync.training.lesson import LessonConfig


def lesson(feed: ToyFeed, own: Synchrony | None = None) -> Syncing:
    return Syncing(own or synchrony(), feed)


def taught(feed: ToyFeed, out: Path, goes_on: bool) -> Syncing:
    return lesson(feed, Synchrony.load(out) if goes_on else None)


@dataclass(frozen=True, kw_only=True)
class Settings(LessonConfig):
    task: str = "toys"


def settings(out: Path, steps: int) -> LessonConfig:
    return Settings(out=str(out), steps=steps, rate=0.003, decay=0.0, warm_up=0.0)


def test_a_batch_that_comes_again_is_learned(tmp_path: Path) -> None:
    losses = []
    rounds.run(
        settings(tmp_path, 15), lambda _: lesson(ToyFeed(4, same=True)),
        lambda _, __, figures: losses.append(figures["loss"]),
    )  # fmt: skip
    assert losses[-1] < 0.6 * losses[0]


def test_a_run_that_stops_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    feed = ToyFeed(3)
    for name, stops in (("whole", [4]), ("halves", [2, 4])):
        out = tmp_path / name
        for steps in stops:
            rounds.run(settings(out, steps), partial(taught, feed, out))
    one, two = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "halves")
    )
    assert one == two


def test_the_figures_of_a_run_have_names_that_it_announced() -> None:
    own = lesson(ToyFeed(3))
    figures = own.held_out()
    assert set(figures) <= set(own.figures)
    assert {"seen_recall", "seen_shift", "seen_half", "seen_replaced", "seen_notes"} <= set(figures)
    assert all(0 <= value <= 1 for value in figures.values())


def test_music_that_is_not_there_teaches_nothing() -> None:
    batch, own = ToyFeed(3).batch(0), synchrony()
    there = batch.extra_is
    assert there.all()
    without = batch._replace(
        extra_mel=np.full_like(batch.extra_mel, 99),
        extra_notes=np.full_like(batch.extra_notes, 99),
        extra_is=np.zeros_like(there),
    )
    none = batch._replace(
        extra_mel=batch.extra_mel[:, :0],
        extra_notes=batch.extra_notes[:, :0],
        extra_is=there[:, :0],
    )
    torch.testing.assert_close(loss_of(own.towers, without), loss_of(own.towers, none))
    assert loss_of(own.towers, batch) > loss_of(own.towers, none)


def test_towers_that_know_nothing_tell_nothing() -> None:
    outcome = measure(synchrony(), [toy_films(8, i) for i in range(3)], notes=False)
    assert outcome.recall.shape == (24,)
    assert outcome.recall.mean() < 0.4  # an eighth by chance
    assert set(outcome.above) == set(CHANGES)
    assert all(values.shape == (24,) for values in outcome.above.values())
    again = measure(synchrony(), [toy_films(8, i) for i in range(3)], notes=False)
    assert np.array_equal(outcome.recall, again.recall)


@pytest.mark.slow
def test_toy_films_find_their_music_by_sound_and_by_notes(tmp_path: Path) -> None:
    """And sound and notes of one piece agree better than with another's, which nobody taught."""
    own = rounds.run(settings(tmp_path, 60), lambda _: lesson(ToyFeed(8))).synchrony
    trials = [toy_films(8, 20_000 + i) for i in range(6)]
    for notes in (False, True):
        found = measure(own, trials, notes).means()
        assert found["recall"] > 0.6
        assert found["shift"] > 0.85
        assert found["replaced"] > 0.85
    towers = (own.towers.sound, own.towers.notes)
    agree = []
    for trial in trials:
        pairs = zip(trial.recordings, trial.starts, strict=True)
        clips = [r.heard(s, 8 * ROWS) for r, s in pairs]
        with answering(own):
            sound, written = (
                tower(torch.from_numpy(np.stack([clip[k] for clip in clips])))
                for k, tower in enumerate(towers)
            )
        scores = torch.einsum("itd,jtd->ij", sound, written)
        agree.append((scores.argmax(1) == torch.arange(len(clips))).float().mean().item())
    assert np.mean(agree) > 0.6
