"""Does the music do what its plan says: laws of the measures, on pieces that do and do not."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emsync.analysis import Analysis, Cut
from emsync.cli import main
from emsync.emotion.arc import State
from emsync.errors import UsageError
from emsync.evaluation import following, planned, tables
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.metrics.harmony import movement_of
from emsync.metrics.lead_sheet import chords_followed, onsets_asked, planned_share, players
from emsync.metrics.portrait import portrait
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import QUALITIES, Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.plain import plain
from emsync.ranking import WEIGHTS, Candidate, judge, rank
from emsync_conditioners.chords import Chords
from emsync_conditioners.instruments import Instruments
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity

BAR, END = 2.0, 16.0  # seconds
EDGES = np.arange(0, END + 0.5, BAR / 2)
CUT = Ending("cut", None, END)
IDS = np.zeros(1, np.int64)
ALL = (DRUMS, BASS, GUITAR, PIANO, STRINGS)


def sheet(names: str, *passages: Passage) -> LeadSheet:
    """A chord a bar; one passage of bass and piano where none are given."""
    chords = np.array([parse_chord(name) for name in names.split()], np.intp)
    harmony = Harmony(np.arange(len(chords), dtype=np.float64) * BAR, chords)
    return LeadSheet(harmony, passages or (Passage(0.0, END, (BASS, PIANO)),))


def block_chords(asked: LeadSheet, classes: Sequence[int] = (BASS, PIANO)) -> Piece:
    """The chords of a sheet, struck on every half bar by each class, the bass on the root."""
    rows = []
    for at in EDGES[:-1].tolist():
        quality, root = divmod(int(asked.harmony.at(np.array([at]))[0]), 12)
        for c in classes:
            steps = (0,) if c in (BASS, DRUMS) else list(QUALITIES.values())[quality]
            low = 36 if c == BASS else 60
            rows += [(c, low + root + step, at, at + BAR / 2) for step in steps]
    return Piece.of(np.array(rows), downbeats=np.arange(0, END, BAR), chords=np.array([8.0]))


PLANNED = sheet("C Am F G C Am Dm G")
OTHER = sheet("F C Dm Am Em F C G")


def test_block_chords_follow_their_own_sheet_and_not_another() -> None:
    piece = block_chords(PLANNED)
    own, other = (chords_followed(s, piece, EDGES) for s in (PLANNED, OTHER))
    assert (own.root, own.chord, own.on_chord, own.half_bars) == (1.0, 1.0, 1.0, 16)
    assert other.root < 0.3 and other.chord < 0.3 and other.on_chord < 0.6


def test_a_bar_line_that_is_rounded_moves_no_chord() -> None:
    early = chords_followed(PLANNED, block_chords(PLANNED), np.maximum(EDGES - 0.002, 0.0))
    assert early.root == 1.0


def test_who_plays_and_who_rests_is_counted_by_sections_of_two_bars_or_more() -> None:
    asked = sheet(
        "C Am F G C Am Dm G",
        Passage(0.0, 8.0, (BASS, PIANO)),
        Passage(8.0, 10.0, ALL),  # one bar: nobody needs to play
        Passage(10.0, 16.0, (BASS, STRINGS)),
    )
    piece = block_chords(asked)
    assert vars_of(players(asked, piece, EDGES)) == (4, 3, 6, 5)  # strings rest, the piano plays
    held = Piece.of(np.array([*piece.rows, (DRUMS, 40, 9.99, 10.5)]))
    assert vars_of(players(asked, held, EDGES)) == (4, 3, 6, 5), "on the section's end by rounding"


def vars_of(found: object) -> tuple[int, ...]:
    return tuple(vars(found).values())


def judged(piece: Piece, asked: LeadSheet | None, video: Analysis, seed: int = 0) -> Candidate:
    return judge(fit(piece, video.cuts, END), CUT, video, seed, IDS, sheet=asked)


def test_who_leaves_one_asked_for_silent_or_lets_another_play_loses() -> None:
    asked = sheet("C Am F G C Am Dm G", Passage(0.0, END, (BASS, PIANO, STRINGS)))
    video = Analysis(END, "25", (Cut(8.0),))
    full = judged(block_chords(asked, (BASS, PIANO, STRINGS)), asked, video, 1)
    thin = judged(block_chords(asked, (BASS, PIANO)), asked, video, 2)
    assert full.parts["plan"] == 1.0
    more = judged(block_chords(asked, (BASS, GUITAR, PIANO, STRINGS)), asked, video, 3)
    assert thin.parts["plan"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-3)
    assert more.parts["plan"] == pytest.approx((1 + 3 / 4) / 2, abs=1e-3)
    assert rank([thin, full, more])[0].seed == 1


def test_without_a_plan_there_is_none_to_stray_from() -> None:
    video = Analysis(END, "25", (Cut(8.0),))
    piece = block_chords(PLANNED)
    followed, strayed = (judged(piece, s, video) for s in (PLANNED, OTHER))
    assert judged(piece, None, video).parts == followed.parts
    assert set(followed.parts) == set(WEIGHTS) and sum(WEIGHTS.values()) == pytest.approx(1)
    assert followed.score > strayed.score
    silent = planned_share(PLANNED, Piece.of(np.zeros((0, 4))), EDGES)
    assert silent == 0.0


def test_density_and_mood_are_judged_scene_by_scene() -> None:
    calm, busy = State(0.0, 8.0, -0.5, -0.6), State(8.0, END, 0.5, 0.6)
    video = Analysis(END, "25").with_arc((calm, busy))

    def piece(fast: float, slow: float) -> Piece:
        times = [*np.arange(0, 8, slow), *np.arange(8, END, fast)]
        rows = [(PIANO, p, t, t + 0.1) for t in times for p in (60, 64, 67)]
        return Piece.of(np.array(rows), downbeats=np.arange(0, END, BAR))

    rises, falls = piece(0.5, 2.0), piece(2.0, 0.5)
    assert len(rises) == len(falls)
    up, down = (judged(p, None, video).parts["density"] for p in (rises, falls))
    assert up > down + 0.3
    minor = Piece.of(np.array([(c, p - (p == 64 and t < 8), t, e) for c, p, t, e in rises.rows]))
    major = Piece.of(np.array([(c, p - (p == 64 and t >= 8), t, e) for c, p, t, e in rises.rows]))
    turned, against = (judged(p, None, video).parts["mood"] for p in (minor, major))
    assert turned > against


def measurement(
    clip: str, seed: int, arm: str, asked: LeadSheet, played: LeadSheet
) -> planned.Measurement:
    piece = block_chords(played)
    return planned.Measurement(
        clip, seed, arm, END, asked, piece, EDGES,
        chords_followed(asked, piece, EDGES),
        movement_of(piece, EDGES, asked.tonic),
        players(asked, piece, EDGES),
        portrait(piece),
        0.25 if clip == "a" else math.nan,
        30, 40.0 if clip == "a" else math.nan,
        np.bincount(piece.classes, minlength=len(CLASSES)).astype(np.float64),
        2, 1, ({"seed": seed, "plan": 1.0},),
    )  # fmt: skip


def test_figures_are_pooled_over_clips_beside_the_plans_of_other_films() -> None:
    up = replace(  # the same as OTHER, a fourth higher
        OTHER,
        harmony=replace(OTHER.harmony, chords=OTHER.harmony.chords // 12 * 12
                        + (OTHER.harmony.chords % 12 + 5) % 12),
        tonic=5,
    )  # fmt: skip
    held = [measurement("a", 0, "planned", PLANNED, PLANNED),
            measurement("b", 1, "planned", up, up)]  # fmt: skip
    free = [measurement("a", 0, "rules off", PLANNED, OTHER),
            measurement("b", 1, "rules off", up, up)]  # fmt: skip
    found = planned.summary(held)
    assert (found["root"]["value"], found["root"]["n"]) == (1.0, 2)
    assert found["chance"]["root"]["value"] < 0.3, "on one tonic they are still other chords"
    assert (found["rest"]["value"], found["play"]["value"], found["cuts"]["value"]) == (1, 1, 0.5)
    assert found["moves"]["on_chord"]["value"] == 1.0 and found["moves"]["commonest"]["value"] < 0.5
    assert (found["returned"]["value"], found["returned"]["n"]) == (0.25, 1)
    assert (found["onsets"]["value"], found["onsets"]["n"]) == (0.75, 1)
    assert planned.summary(free)["root"]["value"] < 0.7
    kept = planned.notes([*held, *free])
    assert kept["planned"]["all"]["value"] == kept["rules off"]["piano"]["value"] == 1.0
    assert np.isnan(kept["planned"]["drums"]["value"])
    report = plain({
        "clips": 2, "seeds": 1, "candidates": 1, "notes": kept, "base": "rules off",
        "arms": {"planned": found, "rules off": planned.summary(free)},
        "real": {name: {"low": 0.0, "median": 0.5, "high": 1.0} for name in planned.MOVES},
    })  # fmt: skip
    page = tables.plan_table(report)
    assert "| planned root heard | 100% [100%, 100%] |" in page
    assert all(words in page for words in tables.MOVES.values())
    json.dumps([one.row() for one in held])


def test_onsets_are_asked_for_by_the_beat_until_the_last_chord() -> None:
    sections = Passage(0.0, 8.0, density=2.0), Passage(8.0, 20.0, density=0.5)
    assert onsets_asked(sheet("C", *sections), 16.0) == 2.0 * 8 + 0.5 * 8
    assert onsets_asked(sheet("C", *sections), 4.0) == 2.0 * 4
    assert math.isnan(onsets_asked(PLANNED, 16.0)), "it leaves the density to the composer"


def test_a_network_that_learned_chords_is_also_measured_without_being_told(small: Path) -> None:
    simple = Composer.from_pretrained(small)
    assert planned.UNTOLD not in planned.arms_of(simple)
    taught = (Metre(), OnsetDensity(), Chords(), Instruments())
    network = EventTransformer(ModelConfig(1011, width=16, depth=1, heads=2), taught)
    composer = replace(simple, model=network, tempo=120.0)
    arm = planned.arms_of(composer)[planned.UNTOLD]
    assert arm == planned.Arm((), ("chords", "instruments"))
    asked = sheet("C Am", Passage(0.0, END, (PIANO,), density=2.0))
    film = composer.partial_analysis(END, sheet=asked)
    told = composer.targets(film)
    reticent = planned.Reticent(**vars(composer), untold=arm.untold).targets(film)
    assert np.isfinite(told["chords"][:, 1:]).all() and np.isfinite(told["instruments"]).all()
    assert np.isnan(reticent["chords"]).all() and np.isnan(reticent["instruments"]).all()
    assert np.array_equal(reticent["onset_density"], told["onset_density"])


def test_an_arm_that_is_not_there_is_refused_before_a_film_is_watched(
    small: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UsageError, match=r"has planned, harmony off, rules off"):
        planned.evaluate(tmp_path, str(small), arms=["planned", "alone"])


def test_a_planned_arc_is_followed_by_a_lead_sheet_for_each_piece(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer, scene = Composer.from_pretrained(small), 2.0
    arcs = following.arcs(2, scene, np.random.default_rng(0))
    given: list[Sequence[LeadSheet]] = []

    def listening(_self: Composer, targets: object, *_: object, sheets: Sequence[LeadSheet]):  # type: ignore[no-untyped-def]
        given.append(sheets)
        return []

    monkeypatch.setattr(Composer, "sample", listening)
    following.planned_drawer(composer, following.SCENES * scene)(arcs)
    first, second = given[0]
    assert len(first.passages) > 1 and first.tonic != second.tonic
    excited = max(zip(arcs[0][:, 2], first.passages, strict=False), key=lambda pair: pair[0])
    assert len(excited[1].classes) >= max(len(p.classes) for p in first.passages) - 1


@pytest.mark.slow
def test_all_films_of_a_folder_are_measured_in_every_arm(
    small: Path,
    tmp_path: Path,
    write_film: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_film(tmp_path / "a.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 150)
    (tmp_path / "b.mp4").write_bytes(b"no film")
    words = ["evaluate", "plan", str(tmp_path), "--checkpoint", str(small), "--json"]
    code = main(words)
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert code == 5 and "skipped b.mp4" in err
    arms = list(report["arms"])
    assert arms[0] == planned.PLANNED and arms[-1] == planned.FREE
    assert [row["arm"] for row in report["rows"]] == arms
    assert all(len(row["candidates"]) == 2 for row in report["rows"])
    assert report["rows"][0]["cuts"] == 0 and report["arms"]["planned"]["cuts"]["value"] is None
