"""From a video to drawn pieces: what each of them is asked."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emsync.analysis import Analysis
from emsync.brief import apply_options, brief_of, check_files
from emsync.composing import FOLLOWED, check_followed, draw, tell_followed
from emsync.conditioning import Conditioner
from emsync.demo import draw_clip
from emsync.errors import AssetError, EmsyncWarning
from emsync.model import sampling
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.tonality import TONICS, key_fits
from emsync.options import Options, Sampling
from emsync.tokens import Tokenizer
from emsync.video.film import open_film
from emsync.video.watch import watch
from emsync_conditioners.chords import Chords
from emsync_conditioners.chroma import Chroma
from emsync_conditioners.given import Given
from emsync_conditioners.instruments import Instruments
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events
from emsync_tokenizers.tsd import Tsd


@pytest.fixture
def composer() -> Composer:
    """An untrained network that is told the key."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16)
    return Composer(EventTransformer(config, (Chroma(),)).eval(), Events())


def tonics(composer: Composer, monkeypatch: pytest.MonkeyPatch, film: Analysis,
           seeds: list[int]) -> list[str]:  # fmt: skip
    """Return the tonic that is requested of each drawn piece."""
    seen: list[np.ndarray] = []

    def listen(_model: object, tokenizer: Events, targets: list[dict[str, np.ndarray]],
               *_: object) -> list[np.ndarray]:  # fmt: skip
        seen.extend(row["chroma"] for row in targets)
        return [tokenizer.header(5)] * len(targets)

    monkeypatch.setattr(sampling, "sample", listen)
    draw(composer, [film] * len(seeds), seeds, 0.06, Sampling())
    return [TONICS[key_fits(rows[0].astype(np.float64)).argmax() % 12] for rows in seen]


def test_the_seed_names_the_tonic_where_nobody_does(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, seeds = Analysis(8.0, "25", valence=0.5), list(range(13))
    assert tonics(composer, monkeypatch, film, seeds) == [*TONICS, "C"]
    edited = Analysis(8.0, "25", valence=-0.5, tonic="Bb")
    assert tonics(composer, monkeypatch, edited, seeds) == ["Bb"] * 13
    chosen = apply_options(edited, Options(tonic="g"))
    assert tonics(composer, monkeypatch, chosen, seeds) == ["G"] * 13


@pytest.mark.slow
def test_scenes_begin_on_the_cuts_that_a_person_lists(tmp_path: Path) -> None:
    """The feelings of scenes are those of the listed cuts, not of those that were found."""
    draw_clip(tmp_path / "clip.mp4", 12.5)
    (tmp_path / "cuts.txt").write_text("5.0\n")
    footage = watch(open_film(tmp_path / "clip.mp4"))
    found = brief_of(footage, Options())
    listed = brief_of(footage, Options(cuts=str(tmp_path / "cuts.txt")))
    none = brief_of(footage, Options(cuts="none"))
    assert [cut.time for cut in listed.kept] == [5.0] and not none.cuts
    assert {state.start for state in listed.arc} <= {0.0, 5.0}
    assert none.arc == found.arc != listed.arc


def test_what_can_be_read_once_is_read_once(tmp_path: Path) -> None:
    """A pipe, as a shell makes of the output of another program, is not read ahead."""
    draw_clip(tmp_path / "clip.mp4", 2.0)
    film = open_film(tmp_path / "clip.mp4")
    pipe = tmp_path / "analysis.json"
    os.mkfifo(pipe)
    given = json.dumps(Analysis(2.0, "25", source="given").to_json())
    writer = threading.Thread(target=pipe.write_text, args=(given,), daemon=True)
    writer.start()
    options = Options(analysis=pipe)
    check_files(film, options)
    assert brief_of(None, options).source == "given"
    writer.join(5)


def untaught(tokenizer: Tokenizer, *conditioners: Conditioner, **sampling: Any) -> Composer:
    config = ModelConfig(tokenizer.vocab_size, 32, 1, 2, 64, position_channels=12)
    return Composer(
        EventTransformer(config, conditioners), tokenizer, sampling=Sampling(**sampling)
    )


WISHES: dict[str, Any] = {"chords": "Am", "instruments": "piano", "theme": "x.mid"}
TAUGHT = Chords(), Instruments(), Given()


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_that_nothing_follows_is_refused(wish: str) -> None:
    asked = Options(**{wish: WISHES[wish]})
    none = f"not taught the {wish}, .* is none of its tokenizer, .*; leave out --{wish}, or take"
    with pytest.raises(AssetError, match=none):
        check_followed(untaught(Tsd()), asked)
    off = tuple(FOLLOWED.values())
    lifted = f"is off; leave out --{wish}, let the rule be on, or take"
    with pytest.raises(AssetError, match=lifted):
        check_followed(untaught(Events()), replace(asked, rules_off=off))
    with pytest.raises(AssetError, match=lifted):
        check_followed(untaught(Events(), rules_off=off), asked)


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_that_a_rule_alone_follows_is_told_of(wish: str) -> None:
    asked = Options(**{wish: WISHES[wish]})
    with pytest.warns(EmsyncWarning, match=f"not taught {wish}: .* by rules alone"):
        tell_followed(untaught(Events()), asked)
    tell_followed(untaught(Events()), Options())  # nobody wished
    tell_followed(untaught(Events(), *TAUGHT), asked)
    check_followed(untaught(Tsd(), *TAUGHT), asked)  # no rule is needed
    tell_followed(untaught(Tsd(), *TAUGHT), asked)


def test_what_nothing_follows_of_a_plan_is_told_of() -> None:
    with pytest.warns(EmsyncWarning, match=r"chords, instruments, theme, .* tsd, has no rule"):
        tell_followed(untaught(Tsd()), Options())
    with pytest.warns(EmsyncWarning, match="not taught chords, instruments, theme: .* rules alone"):
        tell_followed(untaught(Events()), Options(plan="plan.json"))
    tell_followed(untaught(Events(), *TAUGHT), Options(plan="plan.json"))
    off = tuple(FOLLOWED.values())
    tell_followed(untaught(Events()), Options(rules_off=off))  # as somebody wants it
