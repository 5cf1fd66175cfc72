"""What the flow is told: rows at the times of the latents, summed frame by frame."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from flow_toys import song

from emsync import plugins
from emsync.analysis import Analysis
from emsync.conditioning import Conditioner, Targets
from emsync.emotion.arc import State
from emsync.muvi.checkpoint import installed_conditioners
from emsync.muvi.conditions import CONDITIONS, Conditions, batched, nothing, rows_of
from emsync.tokens import Timeline
from emsync.video.cuts import Cut

ARC = (State(0.0, 2.0, 0.5, -0.5), State(2.0, 6.0, -0.25, 1.0))


def film() -> Analysis:
    return Analysis(6.0, "25", cuts=(Cut(1.52), Cut(4.0)), tempo=120.0, arc=ARC)


def asked(conditioners: Sequence[Conditioner], video: Analysis) -> Targets:
    return {c.name: c.from_video(video) for c in conditioners}


def test_rows_of_music_and_film_are_as_many_as_latents_and_alike() -> None:
    conditioners = installed_conditioners()
    music = rows_of(conditioners, {c.name: c.from_music(song(0)) for c in conditioners}, 60)
    seen = rows_of(conditioners, asked(conditioners, film()), 60)
    assert set(music) == set(CONDITIONS)
    for c in conditioners:
        assert music[c.name].shape == seen[c.name].shape
        assert music[c.name].shape[::2] == (60, c.channels)


@pytest.mark.parametrize("name", ["boundaries", "onset_density", "metre"])
def test_rows_are_those_at_the_times_of_the_latents(name: str) -> None:
    (c,) = installed_conditioners([name])
    rows = rows_of([c], asked([c], film()), 30)[name][:, 0]
    for i in (0, 7, 15, 29):
        now = Timeline(np.array([i / 10]), np.zeros(1, np.bool_))
        np.testing.assert_array_equal(rows[i], c.features(c.from_video(film()), now)[0])


def test_a_boundary_is_in_the_latent_of_its_cut() -> None:
    (c,) = installed_conditioners(["boundaries"])
    wait = rows_of([c], asked([c], film()), 30)["boundaries"][:, 0, 0] * 8.0
    assert wait[15] == pytest.approx(0.02, abs=1e-3)
    assert wait[16] == pytest.approx(2.4, abs=1e-3)


def test_rows_of_a_prefix_hold_until_they_change() -> None:
    (c,) = installed_conditioners(["valence_arousal"])
    rows = rows_of([c], asked([c], film()), 60)["valence_arousal"]
    for at, state in ((0, ARC[0]), (19, ARC[0]), (20, ARC[1]), (59, ARC[1])):
        np.testing.assert_allclose(rows[at], np.diag([state.valence, state.arousal]))


def network(width: int = 8, seen: int = 3) -> Conditions:
    torch.manual_seed(0)
    made = Conditions(installed_conditioners(["boundaries", "valence_arousal"]), seen, width)
    torch.nn.init.normal_(made.nothing)
    return made


def test_what_is_asked_of_one_latent_changes_that_one_alone() -> None:
    conditions = network()
    rows = batched([rows_of(conditions.conditioners, asked(conditions.conditioners, film()), 9)])
    pictures = torch.zeros(1, 9, 3)
    before = conditions(rows, pictures)
    other = {name: values.clone() for name, values in rows.items()}
    other["boundaries"][:, 4] += 1
    other["valence_arousal"][:, 6, 1] += 1
    pictures[:, 8] = 1
    changed = (conditions(other, pictures) != before).any(-1)[0]
    assert changed.nonzero().flatten().tolist() == [4, 6, 8]


def test_nothing_is_the_same_everywhere_and_whatever_was_asked() -> None:
    conditions = network()
    rows = rows_of(conditions.conditioners, asked(conditions.conditioners, film()), 9)
    found = conditions(batched([nothing(rows)]), torch.full((1, 9, 3), torch.nan))
    assert found.isfinite().all() and (found == found[:, :1]).all()


def test_one_condition_can_be_left_out() -> None:
    conditions = network()
    rows = rows_of(conditions.conditioners, asked(conditions.conditioners, film()), 9)
    some = rows | {"boundaries": nothing(rows)["boundaries"]}
    found = conditions(batched([rows, some]), torch.full((2, 9, 3), torch.nan))
    assert found.isfinite().all() and (found[0] != found[1]).any()


def test_all_that_are_told_of_are_installed() -> None:
    assert set(CONDITIONS) <= set(plugins.names(plugins.CONDITIONERS))
