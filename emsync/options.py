"""What a person asks for: of the music, and what to write. The one home of the defaults.

Nothing heavy is imported here, since the command line reads its defaults from it.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

from emsync.errors import UsageError
from emsync.limits import shown
from emsync.settings import Within

if TYPE_CHECKING:
    from emsync.analysis import Analysis
    from emsync.planning.plan import Plan

PathLike: TypeAlias = str | os.PathLike[str]
Sync: TypeAlias = Literal["chord", "downbeat", "beat", "off"]
EndingKind: TypeAlias = Literal["cadence", "fade", "cut"]
Arc: TypeAlias = Literal["scene", "constant"]
Mode: TypeAlias = Literal["major", "minor"]
KeepAudio: TypeAlias = Literal["replace", "mix", "duck"]

CHECKPOINT = "emsync-small"  # the one that is shipped
ESTIMATOR = "faces,pictures,sound"
METRIC = "cm"
SYNCHRONY = "small"  # the towers that come with the package
SLOWEST, FASTEST = 30.0, 300.0  # beats a minute
CUT_DISTANCE = 4.0  # seconds between two cuts that the music is to hit
LARGEST_CUT_DISTANCE = 60.0  # seconds, that can be asked for
LARGEST_TEMPO_CHANGE = 0.25  # that can be asked for, to hit the cuts
MOST_CANDIDATES = 64
LUFS = -16.0  # integrated loudness of sound that is written: films on the web, podcasts
SOFTEST, LOUDEST = -60.0, -5.0  # LUFS that can be asked for
MOST_SEED = 2**63 - 1
SAMPLING = ("temperature", "top_p", "top_k", "guidance", "rules_off")


def check_tempo(tempo: float) -> None:
    """Refuse a tempo that no music has; NaN, too."""
    if not SLOWEST <= tempo <= FASTEST:
        raise UsageError(
            f"a tempo of {tempo:g} is outside {SLOWEST:g} to {FASTEST:g} beats a minute"
        )


def check_tempo_change(share: float) -> None:
    """Refuse a bending of the tempo that would be heard as another one; NaN, too."""
    if not 0 <= share <= LARGEST_TEMPO_CHANGE:
        raise UsageError(f"a tempo change of {share:g} is outside 0 to {LARGEST_TEMPO_CHANGE:g}")


def check_cut_distance(seconds: float) -> None:
    """Refuse a distance between cuts that is none, or that leaves nothing to hit; NaN, too."""
    if not 0 <= seconds <= LARGEST_CUT_DISTANCE:
        raise UsageError(
            f"a least distance of {seconds:g} s between cuts is outside 0 to "
            f"{LARGEST_CUT_DISTANCE:g} s; 0 keeps all cuts"
        )


def check_lufs(lufs: float) -> None:
    """Refuse a loudness that is hardly heard, or that only distortion reaches; NaN, too."""
    if not SOFTEST <= lufs <= LOUDEST:
        raise UsageError(
            f"a loudness of {lufs:g} LUFS is outside {SOFTEST:g} to {LOUDEST:g}; films on the web "
            f"have {LUFS:g}, on television -23"
        )


def check_seed(seed: int) -> None:
    """Refuse a seed that random numbers cannot begin with."""
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"the seed is {shown(seed)}; choose from 0 to {MOST_SEED}")


def check_humanize(freedom: float) -> None:
    """Refuse a freedom of timing outside 0 to 1; NaN, too."""
    if not 0 <= freedom <= 1:
        raise UsageError(f"humanize is {shown(freedom)}; choose from 0 (on the beat) to 1 (free)")


@dataclass(frozen=True)
class Options:
    """What a person asks of the music, beyond what the film does. UsageError names what cannot be.

    ``None`` leaves a choice to the film, the checkpoint or the seed.
    """

    # What is read from the film, and what is given in its place
    analysis: "Analysis | PathLike | None" = None  # used instead of watching the film
    cuts: str = "auto"  # "auto" finds them, "none" has none, else a file that lists them
    min_cut_distance: float | None = None  # seconds; None is 4 for what is found, 0 for a list
    estimator: str = ESTIMATOR  # of the emotion; see ``emsync.emotion.estimator.choose``
    ignore_sound: bool = False  # whether the film's own sound, a temp track say, tells nothing
    audio_stream: int | None = None  # which of its sounds counts, from 0; None: what players take
    hardware: bool = False  # whether a graphics card may decode the pictures, where one can
    emotion_file: PathLike | None = None  # a CSV of valence and arousal over time
    arc: Arc = "scene"  # whether the emotion follows the scenes
    max_va: float | None = None  # the largest mean of an emotion, up to 1; None leaves them
    emotion: Mapping[str, float] | str | None = None  # "joy", or {"joy": 0.7, "fear": 0.3}
    valence: float | None = None  # in [-1, 1]
    arousal: float | None = None  # in [-1, 1]

    # The music
    tempo: float | None = None  # beats a minute; None follows the arousal and the cuts
    plan: "Plan | PathLike | None" = None  # in place of one that is made; what is asked edits it
    tonic: str = ""  # such as "F#"; "" lets the seed choose
    mode: Mode | None = None  # None follows the valence
    chords: str = ""  # a chart such as "Am F C G", a chord a bar; "" lets the seed choose
    instruments: str | Sequence[str] | None = None  # "piano,strings", those that play throughout
    palette: PathLike | None = None  # who plays: a name such as "orchestra", or a TOML file
    theme: PathLike | None = None  # a MIDI file whose first bars the sections of theme A take up
    like: PathLike | None = None  # music, a film or a MIDI file, for makers that take a style
    ask: Mapping[str, str] | None = None  # of plug-in conditions, by the name they read
    sync: Sync = "beat"  # the least event that may hit a cut
    max_tempo_change: float = 0.06  # share by which the tempo may bend towards the cuts
    ending: EndingKind | None = None  # None is the plan's; of one that is made, a cadence
    humanize: float = 0.0  # how freely the notes are timed, from 0 to 1; never on hits
    start_timecode: str = ""  # of the first frame, such as "01:00:00:00"; "" takes the film's own

    # A score whose music stays but for a span
    keep: PathLike | None = None  # a MIDI file with a tempo map; its bars and tempi hold
    redo: "str | tuple[float, float | None] | None" = None  # "12.5-20" seconds; "30-" to the end

    # How it is drawn
    seed: int = 0
    candidates: int = 2  # pieces drawn side by side, of which the best is kept
    rhythm: bool = False  # whether the best is also the one that moves with the pictures
    temperature: float | None = None  # these five: None keeps the checkpoint's own setting
    top_p: float | None = None
    top_k: int | None = None
    guidance: float | None = None
    rules_off: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.candidates <= MOST_CANDIDATES:
            raise UsageError(
                f"{self.candidates} candidates cannot be drawn; choose from 1 to {MOST_CANDIDATES}"
            )
        check_seed(self.seed)
        if self.rhythm and self.analysis is not None:
            raise UsageError("rhythm is seen in the video itself; leave out rhythm or the analysis")
        if (self.keep is None) != (self.redo is None):
            raise UsageError(
                "keep and redo go together: a score, and the span of it to compose anew, such as "
                "--keep score.mid --redo 12.5-20"
            )
        if self.redo is not None:
            from emsync.span import read_span

            read_span(self.redo)
            if self.tempo is not None:
                raise UsageError("the kept score's tempo holds; leave out the tempo, or keep")
        if self.tempo is not None:
            check_tempo(self.tempo)
        check_tempo_change(self.max_tempo_change)
        check_humanize(self.humanize)
        if self.min_cut_distance is not None:
            check_cut_distance(self.min_cut_distance)
        for name in ("valence", "arousal"):
            if (value := getattr(self, name)) is not None:
                from emsync.emotion.plane import check_affect

                check_affect(name, value)
        if self.tonic:
            from emsync.music.tonality import pitch_class

            pitch_class(self.tonic)
        if self.chords:
            from emsync.planning.chart import parse_chart
            from emsync.planning.wishes import key_of

            key_of(parse_chart(self.chords))
        if self.instruments is not None:
            from emsync.planning.players import check_instruments, check_pitched

            object.__setattr__(self, "instruments", check_instruments(self.instruments))
            if self.chords or self.theme is not None:
                check_pitched(self.instruments)
        if self.palette is not None:
            from emsync.performance.palette import check_name

            check_name(os.fspath(self.palette))
        if self.emotion is not None:
            from emsync.emotion.plane import normalise, parse_emotion

            if isinstance(self.emotion, str):
                object.__setattr__(self, "emotion", parse_emotion(self.emotion))
            else:
                normalise(self.emotion)
        Sampling(**self.sampling)  # refuses what cannot be
        if self.max_va is not None and not 0 < self.max_va <= 1:
            raise UsageError(f"max-va is {self.max_va}; it must be above 0 and at most 1")
        for name, kind in (("sync", Sync), ("ending", EndingKind), ("arc", Arc), ("mode", Mode)):
            if (value := getattr(self, name)) is not None and value not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise UsageError(f"{name} is {getattr(self, name)!r}; choose one of {known}")

    @property
    def sampling(self) -> dict[str, Any]:
        """The settings of the sampler that differ from the checkpoint's own."""
        return {name: value for name in SAMPLING if (value := getattr(self, name)) is not None}

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``, without the sampler's; files by their names."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in SAMPLING}
        for name in ("emotion", "ask"):
            if values[name] is not None:
                values[name] = dict(values[name])
        for name in ("analysis", "plan", "palette", "theme", "like", "emotion_file", "keep"):
            if values[name] is not None:
                is_path = isinstance(values[name], str | os.PathLike)
                values[name] = os.fspath(values[name]) if is_path else "given"
        return values


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn from the model's logits."""

    temperature: float = 1.0
    top_p: float = 0.95  # the likeliest tokens that hold this share of the mass
    top_k: int = 0  # and at most so many; 0 is no limit
    guidance: float = 1.0  # above 1 what is asked weighs more, and steps cost more; see ``guided``
    # conditions on which guidance does not press: they hold in the unconditional prediction, too
    unguided: tuple[str, ...] = ()
    rules_off: tuple[str, ...] = ()  # rules of the sampler that do not hold
    tokens_per_second: Annotated[int, Within(1, 10_000)] = 400  # real songs need 60

    def __post_init__(self) -> None:
        for name in ("unguided", "rules_off"):  # lists, from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise UsageError(f"temperature is {self.temperature}; it must be above 0, such as 1.0")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top-p is {self.top_p}; it must be above 0 and at most 1")
        if self.top_k < 0:
            raise UsageError(f"top-k is {self.top_k}; it must be 0 (no limit) or more")
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise UsageError(f"guidance is {self.guidance}; it must be 0 or more, such as 1.5")


def as_path(path: PathLike | None) -> Path | None:
    """Return ``path`` as a Path, if there is one."""
    return None if path is None else Path(path)


@dataclass(frozen=True)
class Outputs:
    """What to write of a composition, and how it sounds."""

    score: Path | None = None  # .mid
    video: Path | None = None  # the film with the music: .mp4, .mov, .mkv or .webm
    audio: Path | None = None  # .wav, .flac, .mp3, .ogg or .m4a
    keep_all: bool = False  # write every candidate, ranked, as score.1.mid and so on
    soundfont: Path | None = None  # to play with; None takes the one that is shipped
    keep_audio: KeepAudio = "replace"  # what becomes of the film's own sound
    bundle: Path | None = None  # a folder with all of it; see ``emsync.report.bundle``
    force: bool = False  # let the bundle into a folder that holds another film's, or other things
    audio_stream: int | None = None  # which of the film's sounds is kept; None: the one listened to
    lufs: float = LUFS  # the integrated loudness of all sound that is written

    def __post_init__(self) -> None:
        if self.keep_audio not in get_args(KeepAudio):
            known = ", ".join(get_args(KeepAudio))
            raise UsageError(f"keep-audio is {self.keep_audio!r}; choose one of {known}")
        check_lufs(self.lufs)
