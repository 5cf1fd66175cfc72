"""Latents for a film: seeds, windows, prompts and guidance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from flow_toys import song, system
from torch import Tensor

from emsync.encoders.threads import one_thread
from emsync.muvi.conditions import rows_of
from emsync.muvi.drawing import Asked, Solving, draw_latents
from emsync.muvi.windows import most_given

SYSTEM = system()
LONGEST = SYSTEM.longest


def asked(count: int, prompt: Tensor | None = None, cuts: tuple[int, ...] = ()) -> Asked:
    conditioners = SYSTEM.conditions.conditioners
    targets = {c.name: c.from_music(song(0)) for c in conditioners}
    rows = rows_of(conditioners, targets, count)
    return Asked(rows, np.zeros((count, 0), np.float32), cuts, prompt)


def draw(what: Asked, seed: int = 3, solving: Solving = SYSTEM.shape.solving) -> Tensor:
    with torch.inference_mode():
        return draw_latents(SYSTEM, what, seed, solving)


@pytest.mark.parametrize("count", [1, 3, LONGEST, LONGEST + 1, 4 * LONGEST])
def test_there_are_as_many_latents_as_asked_for(count: int) -> None:
    found = draw(asked(count))
    assert found.shape == (count, SYSTEM.latent) and found.isfinite().all()


def test_a_seed_draws_the_same_again_and_another_seed_does_not() -> None:
    what = asked(2 * LONGEST)
    assert torch.equal(draw(what), draw(what))
    assert not torch.equal(draw(what), draw(what, seed=4))


def test_the_same_is_drawn_whatever_the_number_of_threads() -> None:
    what = asked(LONGEST)
    with one_thread():
        one = draw(what)
        torch.set_num_threads(2)
        with one_thread():
            assert torch.equal(draw(what), one)


def test_windows_go_on_from_what_they_share() -> None:
    """What was drawn before is neither drawn again nor changed by what comes after."""
    long = asked(2 * LONGEST)
    first = replace(long, rows={name: v.copy() for name, v in long.rows.items()})
    for values in first.rows.values():
        values[-5:] = 0.5
    one, other = draw(long), draw(first)
    assert torch.equal(one[:LONGEST], other[:LONGEST])
    assert not torch.equal(one[-LONGEST // 2 :], other[-LONGEST // 2 :])


def test_a_prompt_is_cut_off_and_changes_what_is_drawn() -> None:
    prompt = torch.randn(most_given(LONGEST), SYSTEM.latent)
    plain, like, other = draw(asked(20)), draw(asked(20, prompt)), draw(asked(20, -prompt))
    assert plain.shape == like.shape == other.shape
    assert not torch.equal(like, other) and not torch.equal(like, plain)


def test_no_prompt_is_plain() -> None:
    assert torch.equal(draw(asked(20)), draw(asked(20, SYSTEM.no_latents())))


def test_without_guidance_what_is_asked_has_no_part() -> None:
    what, free = asked(20), Solving(2, guidance=0.0)
    other = replace(what, rows={name: v + 1 for name, v in what.rows.items()})
    assert torch.equal(draw(what, solving=free), draw(other, solving=free))
    assert not torch.equal(draw(what), draw(other))


def test_progress_is_told_over_all_windows() -> None:
    told: list[float] = []
    draw_latents(SYSTEM, asked(2 * LONGEST), 0, SYSTEM.shape.solving, told.append)
    assert told == sorted(told) and told[-1] == 1.0
