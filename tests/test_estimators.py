"""Estimators of emotion: each keeps the laws of all, and what it is there for."""

import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from fractions import Fraction
from importlib.metadata import entry_points
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emsync import plugins
from emsync.analysis import Analysis
from emsync.arrays import Float32s, Picture
from emsync.cli import main
from emsync.emotion import clip
from emsync.emotion.belief import MOST_WORDS, Belief, product
from emsync.emotion.estimator import Estimator, Span, Together, checked, choose
from emsync.emotion.given import Fixed
from emsync.emotion.pictures import SATURATION, Pictures, measure
from emsync.emotion.plane import EMOTIONS, gaussians, mean_point, mixture_mean
from emsync.emotion.reasons import whole, within
from emsync.emotion.things import LOOK, Looks, class_affect, look
from emsync.encoders import lite0
from emsync.errors import AssetError, InputError, UsageError
from emsync.sound.loudness import SILENT
from emsync.testing import check_estimator, example_footage
from emsync.video.cuts import Cut
from emsync.video.film import Film
from emsync.video.footage import Footage, Needs, Still

WHOLE: Span = (0.0, 20.0)


def footage(
    brightness: float = 0.4,
    saturation: float = 0.3,
    motion: float = 0.05,
    shot: float = 20.0,
    seconds: float = 20.0,
    stills: Sequence[Still] = (),
    change: float = 0.1,
) -> Footage:
    """Return even footage, cut every ``shot`` seconds."""
    times = np.arange(0, seconds, 0.04)
    film = Film(Path("a.mp4"), seconds, Fraction(25), 160, 90, 0, False, len(times), 0)
    return Footage(
        film=film,
        times=times,
        brightness=np.full(len(times), brightness),
        saturation=np.full(len(times), saturation),
        colourfulness=np.full(len(times), saturation / 2),
        motion_times=times[1:] - 0.02,
        motion=np.full(len(times) - 1, motion),
        change_times=times[1:] - 0.02,
        change=np.full(len(times) - 1, change),
        cuts=tuple(Cut(float(t)) for t in np.arange(shot, seconds, shot)),
        strip=tuple(stills),
    )


# What all keep


OURS = sorted(
    point.name
    for point in entry_points(group=plugins.ESTIMATORS)
    if point.value.startswith("emsync.")
)


def remembered(classes: Callable[[Sequence[Picture]], Float32s]) -> Any:
    """Return a function that looks once at each picture; ``test_lite0`` says that it may."""
    rows: dict[bytes, Float32s] = {}

    def again(pictures: Sequence[Picture]) -> Float32s:
        for picture in pictures:
            if (key := picture.tobytes()) not in rows:
                (rows[key],) = classes([picture])
        return np.stack([rows[picture.tobytes()] for picture in pictures])

    return again


@pytest.mark.parametrize("name", [*OURS, "faces=1,fixed:0.5/-0.5=3"])
def test_every_estimator_keeps_the_laws(
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite0, "classes", remembered(lite0.classes))
    (tmp_path / "arc.csv").write_text("time,emotion\n0,fear\n7,joy\n")
    needs = {"file": f":{tmp_path / 'arc.csv'}", "fixed": ":joy"}
    if name == "clip":
        needs["clip"] = f":{request.getfixturevalue('scorer')}"
    estimator = choose(name + needs.get(name, ""))
    check_estimator(estimator)
    (felt,) = estimator.feel(example_footage(estimator.needs), [WHOLE])
    assert felt.words


CALM = Belief(0.2, -0.3, 0.5, 0.5, "calm")


@dataclass(frozen=True)
class Even(Estimator):
    """Keeps every law; those below break one each."""

    name: ClassVar[str] = "even"
    summary: ClassVar[str] = "the same calm in all of a film"

    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [CALM] * len(spans)


@dataclass(frozen=True)
class Lazy(Even):
    def feel(self, _footage: Footage, _spans: Sequence[Span]) -> list[Belief]:
        return [CALM]


@dataclass(frozen=True)
class Wild(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(0.0, 1.5)] * len(spans)


@dataclass(frozen=True)
class Lost(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(math.nan, 0.0)] * len(spans)


@dataclass(frozen=True)
class TooSure(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(0.0, 0.0, 0.0, 1.0)] * len(spans)


@dataclass(frozen=True)
class Wordy(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(words="two\nlines")] * len(spans)


@dataclass(frozen=True)
class Plain(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Any]:
        return [(0.0, 0.0)] * len(spans)


@dataclass(frozen=True)
class Moody(Even):
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(*self.rng.uniform(-1, 1, 2)) for _ in spans]


@dataclass(frozen=True)
class Drifting(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [Belief(0.1 * i, 0.0) for i, _ in enumerate(spans)]


@dataclass(frozen=True)
class Relative(Even):
    def feel(self, _footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        longest = max(end - start for start, end in spans)
        return [Belief((end - start) / longest, 0.0) for start, end in spans]


@dataclass(frozen=True)
class Painting(Even):
    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        footage.strip[0].pixels[:] = 255
        return super().feel(footage, spans)


@dataclass(frozen=True)
class Muting(Even):
    @property
    def needs(self) -> Needs:
        return Needs(sound=True)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        if footage.sound:
            footage.sound.loudness[:] = SILENT
        return super().feel(footage, spans)


@dataclass(frozen=True)
class Hasty(Even):
    @property
    def needs(self) -> Needs:
        return Needs(stills=-1.0)


class Bare(Even):
    pass


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Lazy(), "there are 1 beliefs for 6 spans in drawn.mp4"),
        (Wild(), r"the arousal of \(12.0, 20.0\) s in drawn.mp4 is 1.5, outside -1 to 1"),
        (Lost(), "the valence of .* is nan, outside -1 to 1"),
        (TooSure(), r"the width of the valence of .* is 0.0; it must be above 0"),
        (Wordy(), "the words of .*, which is no line of 120 characters at most"),
        (Plain(), r"feels \(0.0, 0.0\), which is no Belief"),
        (Moody(), "a second look at the spans in drawn.mp4 differs from the first"),
        (Drifting(), r"in drawn.mp4, asked .*, feels other than among others"),
        (Relative(), r"\(12.0, 20.0\) s in drawn.mp4, asked alone, feels other than among others"),
        (Painting(), "what was seen in drawn.mp4 is changed by the look at it"),
        (Muting(), "what was seen in drawn.mp4 is changed by the look at it"),
        (Hasty(), "needs is .*; its stills are seconds between pictures, or 0"),
        (Bare(), "Bare is not a dataclass"),
    ],
)
def test_an_estimator_that_breaks_a_law_fails_the_check(broken: Estimator, sentence: str) -> None:
    check_estimator(Even())
    with pytest.raises(AssertionError, match=sentence):
        check_estimator(broken)


def test_the_doors_lead_to_those_that_are_shipped() -> None:
    shipped = {"clip", "faces", "file", "fixed", "pictures", "sound"}
    assert shipped <= set(plugins.names(plugins.ESTIMATORS))
    assert choose("pictures") == choose(" pictures =0.5 ") == Pictures()
    assert choose().title == "faces,pictures,sound"
    with pytest.raises(TypeError):
        Estimator()  # type: ignore[abstract]


# Several


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([Belief()], "it gives 1 beliefs for 2 spans"),
        (None, "it gives 0 beliefs for 2 spans"),
        ([(0.1, 0.2)] * 2, r"of 0 to 1 s it says \(0.1, 0.2\), which is no Belief"),
        ([Belief(math.nan, 0.0, 0.3, 0.3)] * 2, r"Belief\(valence=nan.*, outside -1 to 1"),
        ([Belief(0.0, -9.0, 0.3, 0.3)] * 2, "outside -1 to 1"),
        ([Belief(0.0, 0.0, 0.0, 0.3)] * 2, "of which a width is below 0.0001"),
        ([Belief(0.0, 0.0, 0.3, math.nan)] * 2, "of which a width is below 0.0001"),
    ],
)
def test_nonsense_of_an_estimator_is_refused(said: Any, sentence: str) -> None:
    with pytest.raises(AssetError, match=f"the estimator 'odd' is broken: .*{sentence}"):
        checked("odd", said, [(0.0, 1.0), (1.0, 2.0)])


def test_what_an_estimator_says_can_be_kept_in_a_file() -> None:
    half: Any = np.float32(0.5)
    said = Belief(half, 0.0, half / 5, math.inf, "a\n" * 500)
    (plain,) = checked("odd", iter([said]), [WHOLE])
    assert (plain.valence, plain.arousal) == (0.5, 0.0)
    assert plain.words == ("a " * 500)[:MOST_WORDS]
    assert json.loads(json.dumps(plain.to_json(), allow_nan=False))["valence_sd"] == 0.1


def test_several_are_multiplied_by_their_precision_and_trust() -> None:
    both = choose("fixed:0.8/0=3, fixed:-0.4/0.4")
    (felt,) = both.feel(footage(), [WHOLE])
    assert (felt.valence, felt.arousal) == pytest.approx((0.5, 0.1))
    assert both.title == "fixed=3,fixed"


@given(st.floats(0.01, 100))
def test_one_opinion_said_twice_is_that_opinion_surer(trust: float) -> None:
    one = Fixed.given("joy=0.7,fear=0.3")
    (felt,) = Together(((one, trust), (one, 1.0))).feel(footage(), [WHOLE])
    assert felt.valence == pytest.approx(one.belief.valence)
    assert felt.valence_sd == pytest.approx(one.belief.valence_sd / math.sqrt(1 + trust))


widths = st.floats(0.01, 10) | st.just(math.inf)
beliefs = st.builds(Belief, st.floats(-1, 1), st.floats(-1, 1), widths, widths)


@given(st.lists(beliefs, min_size=1, max_size=6), st.randoms())
def test_a_product_lies_among_its_beliefs_in_any_order(said: list[Belief], rng: Random) -> None:
    felt = product(said)
    shuffled = [*said]
    rng.shuffle(shuffled)
    assert product(shuffled).valence == pytest.approx(felt.valence, abs=1e-9)
    if speak := [b for b in said if math.isfinite(b.valence_sd)]:
        values = [b.valence for b in speak]
        assert min(values) - 1e-9 <= felt.valence <= max(values) + 1e-9
        assert felt.valence_sd <= min(b.valence_sd for b in speak) * (1 + 1e-9)
    else:
        assert (felt.valence, felt.valence_sd) == (0.0, math.inf)
    assert product([*said, Belief()]).point == felt.point  # who has no say changes nothing


def test_a_mixture_is_as_wide_as_its_emotions_are_apart() -> None:
    assert Belief.of({"joy": 1.0}).point == mixture_mean({"joy": 1.0})
    torn, g = Belief.of({"joy": 1.0, "fear": 1.0}), gaussians()
    rng = np.random.default_rng(0)
    halves = [rng.normal(g[n].valence, g[n].valence_sd, 50_000) for n in ("joy", "fear")]
    assert torn.valence == pytest.approx(np.concatenate(halves).mean(), abs=0.01)
    assert torn.valence_sd == pytest.approx(np.concatenate(halves).std(), abs=0.01)


def test_together_they_need_what_each_needs(scorer: Path) -> None:
    assert choose("pictures,fixed:joy").needs == Pictures().needs
    assert choose(f"fixed:joy,clip:{scorer}").needs.stills == clip.STILLS > 0
    assert Needs(2.0, faces=True) | Needs(0.0, sound=True) == Needs(2.0, True, True)
    assert (Needs(2.0) | Needs(1.0)).stills == 1.0


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("colour_motion", AssetError, "no plug-in 'colour_motion'.*there is clip, faces, file"),
        ("", UsageError, "the estimator '' leaves a name out"),
        ("faces,,sound", UsageError, "'faces,,sound' leaves a name out"),
        ("=2", AssetError, "no plug-in ''"),
        ("pictures:now", UsageError, "'pictures' takes no argument, but got 'now'"),
        ("pictures=much", UsageError, "the weight of 'pictures' is 'much', which is not a number"),
        ("pictures=0", UsageError, "the weight of 'pictures' is 0; it must be above 0"),
        ("pictures=nan", UsageError, "the weight of 'pictures' is nan"),
        ("fixed", UsageError, "unknown emotion ''"),
        ("fixed:boredom", UsageError, "unknown emotion 'boredom'"),
        ("fixed:a/b", UsageError, "'a/b' is not a valence and an arousal such as 0.5/-0.2"),
        ("fixed:2/0", UsageError, "valence is 2.0; it must be from -1 to 1"),
        ("file", UsageError, "'file' needs its file"),
    ],
)
def test_what_cannot_be_chosen_is_refused(text: str, error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        choose(text)


# Pictures


def felt(film: Footage) -> Belief:
    (feeling,) = Pictures().feel(film, [(0.0, film.film.duration)])
    return feeling


def test_colour_pleases_and_leaves_arousal_alone() -> None:
    grey, vivid = felt(footage(saturation=0.1)), felt(footage(saturation=0.8))
    assert vivid.valence > grey.valence and vivid.arousal == grey.arousal


def test_motion_and_change_excite_and_leave_valence_alone() -> None:
    fast, some, none = (felt(footage(motion=m)).arousal for m in (1.0, 0.05, 0.0))
    assert fast > some > none
    flashing, steady = (felt(footage(change=share)).arousal for share in (1.0, 0.0))
    assert flashing > steady + 0.2
    assert felt(footage(motion=1.0, change=1.0)).valence == felt(footage()).valence


def test_a_still_film_is_calm_though_all_of_it_is() -> None:
    assert felt(footage(motion=0.0, change=0.0)).arousal < -0.5
    assert felt(footage(motion=1.0, change=1.0)).arousal > 0.25


def test_a_scene_is_felt_by_its_own_frames() -> None:
    film = footage()
    film.motion[film.motion_times >= 10] = 0.9
    calm, fast = Pictures().feel(film, [(0.0, 10.0), (10.0, 20.0)])
    assert calm.arousal == pytest.approx(felt(footage()).arousal)
    assert fast.arousal == pytest.approx(felt(footage(motion=0.9)).arousal)


def test_a_span_between_two_frames_has_their_look() -> None:
    assert measure(footage(brightness=0.7), [(5.001, 5.002)]).brightness == pytest.approx(0.7)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 50), st.floats(0, 30), st.floats(0.05, 40))
def test_any_footage_is_felt_on_the_plane(
    brightness: float, saturation: float, motion: float, change: float, seconds: float
) -> None:
    feeling = felt(footage(brightness, saturation, motion, seconds=seconds, change=change))
    assert -1 <= feeling.valence <= 1 and -1 <= feeling.arousal <= 1


def seen(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the network be sure of these things, one a still, by the red of the still."""

    def classes(pictures: Sequence[Picture]) -> Float32s:
        rows = np.zeros((len(pictures), len(class_affect().names)), np.float32)
        for row, picture in zip(rows, pictures, strict=True):
            row[class_affect().names.index(names[int(picture[0, 0, 0])])] = 1.0
        return rows

    monkeypatch.setattr(lite0, "classes", classes)


def stills(*times: float) -> list[Still]:
    """Return small stills that are told apart by their red: 0, 1, ..."""
    return [Still(time, np.full((4, 4, 3), i, np.uint8)) for i, time in enumerate(times)]


def test_a_weapon_is_unpleasant_and_exciting_and_a_daisy_neither(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen(monkeypatch, "assault rifle", "daisy")
    film = footage(stills=stills(5.0, 15.0), shot=10.0)
    rifle, daisy = Pictures().feel(film, [(0.0, 10.0), (10.0, 20.0)])
    assert rifle.valence < -0.4 < 0.4 < daisy.valence
    assert rifle.arousal > daisy.arousal + 0.5
    assert (rifle.words, daisy.words) == ("an assault rifle", "a daisy")


def test_what_the_network_knows_nothing_of_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(class_affect().names)
    monkeypatch.setattr(lite0, "classes", lambda p: np.full((len(p), count), 1 / count, np.float32))
    film = footage(stills=stills(5.0))
    assert felt(film).point == felt(footage()).point
    assert felt(film).words == felt(footage()).words


def test_each_shot_is_looked_at_and_a_long_one_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite0, "classes", lambda p: np.zeros((len(p), 1000), np.float32))
    film = footage(stills=stills(*np.arange(0.5, 20.0)))
    looks = look(replace(film, cuts=(Cut(1.2), Cut(2.4), Cut(4.0))))
    shots = ((0.0, 1.2), (1.2, 2.4), (2.4, 4.0))
    assert [sum((looks.times >= a) & (looks.times < b)) for a, b in shots] == [1, 1, 1]
    assert np.diff(looks.times[3:]).mean() == pytest.approx(LOOK, abs=0.1)


def test_the_classes_of_imagenet_each_have_a_feeling() -> None:
    table = class_affect()
    assert len(table.names) == lite0.CLASSES == len(table.points)
    assert np.abs(table.points).max() <= 1
    worst, best = (table.points[table.names.index(name)] for name in ("assault rifle", "teddy"))
    assert worst[0] < 0 < best[0] and worst[1] > best[1]


def test_words_are_what_moves_the_feeling_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, "cannon")
    still = footage(saturation=0.05, motion=0.0, change=0.0, stills=stills(5.0))
    assert felt(still).words == "colourless, still, a cannon"
    gains = (1.8, 1.2)
    doubtful = Looks(np.array([1.0]), 0.5 * np.eye(1000)[[471]])
    assert doubtful.named(0.0, 2.0, gains) == "like a cannon" and doubtful.named(5, 6, gains) == ""
    assert doubtful.named(0.0, 2.0, (0.0, 0.0)) == "", "it moves nothing"
    names = class_affect().names
    plain = Looks(np.array([1.0]), np.eye(1000)[[names.index("lumbermill")]] * 0.1)
    assert plain.named(0.0, 2.0, gains) == "", "it hardly moves anything"
    worst = np.argsort(class_affect().points[:, 0], kind="stable")
    likely = np.zeros((2, 1000))
    likely[0, worst[:30]] = likely[1, worst[-30:]] = 0.03
    many = Looks(np.array([1.0, 3.0]), likely)
    said = [many.named(start, start + 2, (1.8, 0.0)) for start in (0.0, 2.0)]
    assert said == ["unpleasant things", "pleasant things"]


def test_light_changes_neither_the_feeling_nor_its_words() -> None:
    dark, bright = (felt(footage(brightness=light)) for light in (0.05, 0.9))
    assert dark == bright
    ordinary = footage(saturation=SATURATION.mean, motion=0.05, change=0.1)
    assert felt(ordinary).words == "nothing unusual"


# From shots to scenes


def test_a_scene_feels_as_its_shots_do_on_average() -> None:
    film = footage(shot=5.0)
    falls = (film.motion_times > 10) & (film.motion_times < 11)
    film = replace(film, motion=np.where(falls, 4.0, 0.0), cuts=(Cut(10.0), Cut(11.0)))
    seen = Analysis.of(film, Pictures(), min_cut_distance=12.0)
    assert len(seen.kept) == 1 and len(seen.shots) == 3
    for state in seen.arc:
        told = whole(within(seen.shots, state.start, state.end))
        assert astuple(state.point) == pytest.approx(astuple(told.point), abs=1e-3)
    assert seen.valence == pytest.approx(whole(seen.shots).valence, abs=1e-3)
    rest, fall, _ = (whole([shot]).arousal for shot in seen.shots)
    assert seen.arousal == pytest.approx((19 * rest + fall) / 20, abs=1e-3)


def test_a_cut_of_a_person_parts_two_feelings_though_no_shot_ends_there(tmp_path: Path) -> None:
    (tmp_path / "arc.csv").write_text("time,emotion\n0,joy\n7,fear\n")
    estimator = choose(f"file:{tmp_path / 'arc.csv'}")
    seen = Analysis.of(footage(), estimator, [Cut(7.0)])
    assert [(s.start, s.end, s.emotion) for s in seen.arc] == [(0, 7, "joy"), (7, 20, "fear")]
    joy, fear = gaussians()["joy"].valence, gaussians()["fear"].valence
    assert [s.valence for s in seen.arc] == pytest.approx([joy, fear], abs=1e-3)


# CLIP: a tiny one that knows six colours by the sentences of six emotions

COLOURS = {
    "anger": (220, 30, 30),
    "disgust": (110, 130, 20),
    "fear": (20, 90, 60),
    "joy": (250, 220, 60),
    "sadness": (30, 60, 230),
    "surprise": (240, 120, 220),
}


def coloured(i: int, time: float) -> Still:
    """Return a picture in the colour of the emotion of that number, wider than it is high."""
    return Still(time, np.full((24, 40, 3), list(COLOURS.values())[i], np.uint8))


@pytest.fixture(scope="session")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny CLIP, its tokenizer and its processor, all made here."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("scorer")
    texts = {
        emotion: [
            s.format(noun=noun, adjective=adjective)
            for s in clip.SENTENCES
            for noun, adjective in clip.PROMPTS[emotion]
        ]
        for emotion in EMOTIONS
    }
    words = sorted(
        {w for rows in texts.values() for t in rows for w in t.replace(",", " ,").split()}
    )
    vocabulary = {"<pad>": 0, "<start>": 1, "<unk>": 2}
    vocabulary |= {word: i for i, word in enumerate(words, 3)}
    vocabulary["<end>"] = len(vocabulary)
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>",
        special_tokens=[("<start>", 1), ("<end>", vocabulary["<end>"])],
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, pad_token="<pad>", eos_token="<end>", bos_token="<start>",
        unk_token="<unk>", model_max_length=16,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"do_center_crop": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3})
    )
    torch.manual_seed(0)
    tiny = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2}  # fmt: skip
    end = vocabulary["<end>"]
    model = CLIPModel(
        CLIPConfig(
            text_config={**tiny, "vocab_size": len(vocabulary), "max_position_embeddings": 16,
                         "eos_token_id": end, "bos_token_id": 1, "pad_token_id": 0},
            vision_config={**tiny, "image_size": 16, "patch_size": 8},
            projection_dim=16,
        )
    )  # fmt: skip
    # Random towers see well enough; their projections are fitted to one axis for each emotion.
    told = [(sentence, i) for i, e in enumerate(EMOTIONS) for sentence in texts[e]]
    tokens = tokenizer([t for t, _ in told], padding="max_length", max_length=16,
                       return_tensors="pt")  # fmt: skip
    pixels = (torch.tensor(list(COLOURS.values())) / 255 - 0.5) / 0.25
    pixels = pixels[:, :, None, None].expand(6, 3, 16, 16)
    with torch.no_grad():
        for tower, inputs, rows, projection in (
            (model.text_model, tokens, [i for _, i in told], model.text_projection),
            (model.vision_model, {"pixel_values": pixels}, range(6), model.visual_projection),
        ):
            seen = tower(**inputs).pooler_output
            axes = torch.eye(16)[list(rows)]
            projection.weight.copy_(torch.linalg.lstsq(seen, axes, driver="gelsd").solution.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    return folder


def test_clip_sees_the_emotion_that_the_sentences_name(scorer: Path) -> None:
    film = footage(stills=[coloured(i, i + 0.5) for i in range(6)])
    spans = [(float(i), i + 1.0) for i in range(6)]
    for emotion, feeling in zip(EMOTIONS, choose(f"clip:{scorer}").feel(film, spans), strict=True):
        assert feeling.words.startswith(emotion)
        assert feeling.valence * mixture_mean({emotion: 1.0}).valence > 0


def test_pictures_without_content_say_nothing(scorer: Path) -> None:
    seen = clip.load(str(scorer))
    logits = seen.logits(clip.blanks(seen.size))
    assert logits.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-4)
    assert clip.softmax(logits.mean(axis=0)) == pytest.approx(np.full(6, 1 / 6), abs=1e-4)


def test_a_span_without_a_picture_takes_the_nearest(scorer: Path) -> None:
    film = footage(stills=[coloured(0, 1.0), coloured(3, 15.0)])
    early, late = choose(f"clip:{scorer}").feel(film, [(3.0, 4.0), (17.0, 20.0)])
    assert early.words.startswith("anger") and late.words.startswith("joy")
    assert late.valence > early.valence


@pytest.mark.slow
def test_many_pictures_are_seen_as_each_alone(scorer: Path) -> None:
    seen = clip.load(str(scorer))
    pictures = [coloured(i % 6, 0.0).pixels for i in range(clip.BATCH + 3)]
    alone = np.concatenate([seen.logits([picture]) for picture in pictures])
    assert seen.logits(pictures) == pytest.approx(alone, abs=1e-4)


def test_the_middle_of_a_picture_is_seen_where_the_model_learned_so(scorer: Path) -> None:
    seen = clip.load(str(scorer))
    wide = coloured(0, 0.0).pixels.copy()
    wide[:, :8] = wide[:, -8:] = 255
    assert seen.logits([wide]) == pytest.approx(seen.logits([coloured(0, 0.0).pixels]), abs=1e-4)


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "preprocessor_config.json",
                                  "tokenizer.json"])  # fmt: skip
def test_a_folder_without_a_part_of_a_clip_is_refused(
    scorer: Path, tmp_path: Path, lost: str
) -> None:
    for path in scorer.iterdir():
        if path.name != lost:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(AssetError, match=r"no CLIP can be loaded .*; name a folder with clip:"):
        choose(f"clip:{tmp_path}")


def test_broken_weights_are_refused(scorer: Path, tmp_path: Path) -> None:
    for path in scorer.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(AssetError, match="no CLIP can be loaded"):
        choose(f"clip:{tmp_path}")


def test_absent_weights_are_refused_without_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("clip:nobody/has-this", f"clip:{tmp_path / 'none'}", f"clip:{tmp_path}"):
        with pytest.raises(AssetError, match="no CLIP can be loaded from") as caught:
            choose(name)
        assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert main(["analyze", "any.mp4", "--estimator", "clip:nobody/has-this"]) == 4


# What is given


def test_a_file_is_averaged_over_each_span(tmp_path: Path) -> None:
    (tmp_path / "arc.csv").write_text("time,valence,arousal\n0,0.2,0\n10,0.6,-0.4\n")
    early, both = choose(f"file:{tmp_path / 'arc.csv'}").feel(footage(), [(0, 10), (5, 15)])
    assert (early.valence, early.arousal) == (0.2, 0.0)
    assert (both.valence, both.arousal) == pytest.approx((0.4, -0.2))
    with pytest.raises(InputError, match="there is no file"):
        choose("file:nowhere.csv").feel(footage(), [WHOLE])


def test_the_fixed_one_says_what_it_was_told() -> None:
    for told, point in (("joy", mixture_mean({"joy": 1.0})), ("0.1/-0.2", None)):
        (feeling,) = choose(f"fixed:{told}").feel(footage(), [WHOLE])
        want = (0.1, -0.2) if point is None else (point.valence, point.arousal)
        assert (feeling.valence, feeling.arousal) == want


def test_the_mean_of_points_weighs_them() -> None:
    joy, fear = mixture_mean({"joy": 1}), mixture_mean({"fear": 1})
    both = mean_point([joy, fear], [1.0, 3.0])
    assert both.valence == pytest.approx(mixture_mean({"joy": 1, "fear": 3}).valence)
    assert both == mean_point([fear, joy], [6.0, 2.0])
