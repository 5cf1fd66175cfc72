"""A video in, music that fits it out: the whole of emsync in one function."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from emsync import audio
from emsync.affect import SCALE
from emsync.analysis import Analysis
from emsync.arc import State, read_arc
from emsync.bundle import check_bundle, play_stems, whole_folder, write_bundle
from emsync.candidates import Candidate
from emsync.compose import compose
from emsync.composer import DEFAULT, Composer
from emsync.cuts import read_cuts, write_cuts
from emsync.dynamics import Dynamics
from emsync.ending import last_chord
from emsync.errors import UsageError
from emsync.feeling import Estimator, choose
from emsync.film import Film, open_film
from emsync.impact import Impact
from emsync.midi import write_midi
from emsync.mux import KeepAudio, check_keep_audio, check_mux, mux, soundtrack
from emsync.output import check_target, whole
from emsync.plots import plot_analysis
from emsync.report import Story
from emsync.sampling import Sampling
from emsync.timecode import Timecode
from emsync.titles import Text, Titles
from emsync.video import Footage, Observer, watch
from emsync.wishes import Wishes

Progress = Callable[[str, float], None]  # the stage, and the share of it that is done


@dataclass(frozen=True)
class Outputs:
    """What to write, and how it sounds."""

    score: Path | None = None  # where there is a bundle, it can be the only one to hold the score
    video: Path | None = None
    audio: Path | None = None
    keep_all: bool = False  # write every candidate, ranked, as score.1.mid and so on
    soundfont: Path | None = None
    keep_audio: KeepAudio = "replace"
    bundle: Path | None = None  # a folder with all that a composer needs; see ``emsync.bundle``


@dataclass
class Stopwatch:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def generate(
    source: Path,
    outputs: Outputs,
    wishes: Wishes = Wishes(),
    *,
    checkpoint: str | Path = DEFAULT,
    device: str = "cpu",
    sampling: Mapping[str, Any] | None = None,
    progress: Progress = lambda stage, share: None,
) -> dict[str, Any]:
    """Compose for the video at ``source``, write ``outputs``, and return the report.

    ``sampling`` has the settings of ``Sampling`` that differ from the checkpoint's own. Outputs
    appear together or not at all. Raises EmsyncError and its kinds.
    """
    clock = Stopwatch()
    began = time.perf_counter()
    film = _check(source, outputs)
    with clock("load"):
        composer = Composer.from_pretrained(checkpoint).to(device)
        choice = Sampling(**{**composer.sampling, **(sampling or {})})
        _understood(composer, wishes)
    with clock("analyze"):
        impact = Impact() if wishes.rhythm else None
        observers = [] if impact is None else [impact]
        footage = look(film, wishes, lambda share: progress("Watching", share), observers)
        video = wished(footage, wishes)
        pictures = None if impact is None else impact.signal(video.duration)
        words, dynamics = titles(video, wishes), dynamics_of(video, wishes)
    with clock("compose"):
        best, *others = compose(
            composer, video, wishes, choice, lambda share: progress("Composing", share), pictures
        )
    with ExitStack() as together:
        place = outputs.score
        if outputs.bundle:
            folder = together.enter_context(whole_folder(outputs.bundle))
            place = place or folder / "score.mid"
        assert place is not None  # _check has refused it
        score = together.enter_context(whole(place))
        with clock("write"):
            write_midi(score, best.fitted, words, dynamics)
            if outputs.keep_all:
                for rank, candidate in enumerate((best, *others), 1):
                    name = place.with_name(f"{place.stem}.{rank}.mid")
                    file = together.enter_context(whole(name))
                    write_midi(file, candidate.fitted, words, dynamics)
        if outputs.audio or outputs.video or outputs.bundle:
            with clock("render"):
                progress("Playing", 0.0)
                if outputs.bundle:
                    stems = play_stems(score, video.duration, outputs.soundfont)
                    sound = stems.mix
                else:
                    sound = audio.synthesize(score, outputs.soundfont)
                    sound = audio.finish(sound, video.duration, fade=0.0)  # the score fades itself
                progress("Playing", 1.0)
        if outputs.audio:
            audio.write_wav(sound, together.enter_context(whole(outputs.audio)))
        if outputs.video:
            target = together.enter_context(whole(outputs.video))
            with clock("mux"):
                mux(
                    film, soundtrack(film, sound, outputs.keep_audio), target,
                    lambda seconds: progress("Writing the film", seconds / video.duration),
                )  # fmt: skip
        facts = {
            "checkpoint": str(checkpoint),
            "sampling": asdict(choice),
            "settings": {
                **asdict(wishes),
                "analysis": _name(wishes.analysis),
                "emotion_file": _name(wishes.emotion_file),
            },
            **describe(best, video, wishes, words.start),
            "candidates": [{"seed": c.seed, "score": c.score, **c.parts} for c in (best, *others)],
        }
        if outputs.bundle:
            story = Story(video, footage.strip if footage else (), best.fitted, facts)
            with clock("bundle"):
                write_bundle(
                    folder, film, score, story, stems, outputs.keep_audio, words,
                    lambda seconds: progress("Writing the preview", seconds / video.duration),
                )  # fmt: skip
    timings = {**clock.seconds, "total": time.perf_counter() - began}
    return {
        "score": str(outputs.score or (outputs.bundle or Path()) / "score.mid"),
        "video": _name(outputs.video),
        "audio": _name(outputs.audio),
        "bundle": _name(outputs.bundle),
        **facts,
        "timings": {stage: round(seconds, 3) for stage, seconds in timings.items()},
    }


def _understood(composer: Composer, wishes: Wishes) -> None:
    """Refuse a wish that the checkpoint cannot be told, before the film is watched."""
    if not wishes.tonic:
        return
    one, other = (
        composer.targets(composer.film(1.0, valence=0.5, tonic=tonic)) for tonic in ("C", "D")
    )
    if all(np.array_equal(one[k], other[k], equal_nan=True) for k in one):
        raise UsageError(
            f"this checkpoint cannot be told a key (none of its conditions, {', '.join(one)}, "
            f"asks for one); leave out the tonic {wishes.tonic!r}"
        )


def look(
    film: Film,
    wishes: Wishes,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
) -> Footage | None:
    """Watch the film, or return None if a person gives its analysis."""
    if wishes.analysis is not None:
        return None
    return watch(film, progress, observers, stills=choose(wishes.estimator).stills)


def wished(footage: Footage | None, wishes: Wishes) -> Analysis:
    """Return what ``footage`` asks of its music, with a person's wishes in its place."""
    if footage is not None:
        video = Analysis.of(footage, choose(wishes.estimator))
    else:
        assert wishes.analysis is not None  # or the video was watched
        video = Analysis.load(wishes.analysis)
    if wishes.cuts == "none":
        video = replace(video, cuts=())
    elif wishes.cuts != "auto":
        rate = Fraction(video.fps) or None
        video = replace(video, cuts=tuple(read_cuts(Path(wishes.cuts), rate, video.duration)))
    if wishes.emotion_file is not None:
        video = video.with_arc(read_arc(wishes.emotion_file, video.duration))
    if wishes.max_va is not None:
        video = video.scaled(wishes.max_va)
    if wishes.arc == "constant":
        video = video.constant()
    return video.with_feeling(
        wishes.emotion, wishes.valence, wishes.arousal, wishes.max_va or SCALE
    )


def analyze(
    source: Path,
    out: Path | None = None,
    plot: Path | None = None,
    lists: Sequence[str] = (),
    progress: Progress = lambda stage, share: None,
    estimator: Estimator | None = None,
) -> tuple[Analysis, list[Path]]:
    """Watch ``source``; write the analysis, its picture and cut lists; return it and the files.

    ``lists`` are suffixes such as "csv" and "edl"; the lists are named after ``out`` or the video.
    """
    estimator = estimator or choose()
    beside = (out or Path(source.name)).with_suffix("")
    targets = [path for path in (out, plot) if path is not None]
    targets += [beside.with_name(f"{beside.name}.cuts.{suffix}") for suffix in lists]
    for path in targets:
        check_target(path)
    footage = watch(
        open_film(source), lambda share: progress("Watching", share), stills=estimator.stills
    )
    video = Analysis.of(footage, estimator)
    with ExitStack() as together:
        files = [together.enter_context(whole(path)) for path in targets]
        if out is not None:
            video.save(files[targets.index(out)])
        if plot is not None:
            plot_analysis(video, footage.strip, files[targets.index(plot)])
        for file in files[len(targets) - len(lists) :]:
            write_cuts(file, video)
    return video, targets


def render(
    score: Path, out: Path, duration: float | None, fade: float, soundfont: Path | None
) -> dict[str, Any]:
    """Play a MIDI file into a WAV file; return what was written."""
    check_target(out)
    sound = audio.synthesize(score, soundfont)
    length = sound.duration if duration is None else duration
    if not (math.isfinite(length) and length > 0):
        raise UsageError(f"a duration of {length} s cannot be; choose a positive number of seconds")
    if not (math.isfinite(fade) and fade >= 0):
        raise UsageError(f"a fade of {fade} s cannot be; choose 0 or more seconds")
    audio.write_wav(audio.finish(sound, length, fade), out)
    return {"audio": str(out), "duration": length, "synthesizer": audio.synthesizer_name()}


def demonstrate(folder: Path, seed: int, progress: Progress) -> dict[str, Any]:
    """Draw the project's own clip into ``folder`` and compose for it; return the report."""
    from emsync.demo import draw_clip

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {str(folder)!r}: {error.strerror}") from error
    clip = folder / "clip.mp4"
    progress("Drawing", 0.0)
    draw_clip(clip)
    progress("Drawing", 1.0)
    outputs = Outputs(folder / "score.mid", folder / "clip-with-music.mp4")
    return generate(clip, outputs, Wishes(seed=seed), device="auto", progress=progress)


def fade_of(wishes: Wishes, duration: float) -> float:
    """Return the seconds over which the music fades out at its end."""
    if wishes.ending == "cadence":
        return duration - last_chord(duration, ())
    return min(audio.FADE, duration / 2) if wishes.ending == "fade" else 0.0


def dynamics_of(video: Analysis, wishes: Wishes) -> Dynamics:
    """Return how loud the music is: as excited as the scene, fading as ``wishes`` say."""
    states = [(state.start, state.arousal) for state in video.arc]
    return Dynamics.of(states, fade_of(wishes, video.duration))


def titles(video: Analysis, wishes: Wishes) -> Titles:
    """Return what the files say in words: their title, where the timecode starts, the emotion."""
    rate = Fraction(video.fps) or None
    feeling = ", ".join(f"{k} {p:.0%}" for k, p in sorted(video.emotion.items()) if p >= 0.05)
    texts = [Text(0.0, _feeling("Emotion", video) + (f" ({feeling})" if feeling else ""))]
    if len(video.arc) > 1:
        texts += [
            Text(s.start, _feeling(s.emotion.capitalize() or "Feeling", s)) for s in video.arc
        ]
    start = None
    if wishes.start_timecode:
        if rate is None:
            raise UsageError("a start timecode needs the video's frame rate, which is unknown")
        start = Timecode.parse(wishes.start_timecode, rate)
    return Titles(Path(video.source).stem or "emsync", rate, start, tuple(texts))


def _feeling(what: str, felt: Analysis | State) -> str:
    return f"{what}: valence {felt.valence:+.2f}, arousal {felt.arousal:+.2f}"


def describe(
    best: Candidate, video: Analysis, wishes: Wishes, start: Timecode | None = None
) -> dict[str, Any]:
    """Return what was composed, as plain values: the feeling, the cuts and what answers them."""
    facts = best.fitted.to_json(Fraction(video.fps) or None, start)
    chord = last_chord(video.duration, video.cuts) if wishes.ending == "cadence" else None
    piece = best.fitted.piece
    return {
        **facts,
        "ending": {"kind": wishes.ending, "chord": chord},
        "duration": video.duration,
        "valence": _null(video.valence),
        "arousal": _null(video.arousal),
        "emotion": dict(video.emotion),
        "arc": [
            {**asdict(s), "valence": _null(s.valence), "arousal": _null(s.arousal)}
            for s in video.arc
        ],
        "seed": wishes.seed,
        "tokens": best.tokens,
        "notes": len(piece),
        "instruments": piece.instruments,
        "score_parts": best.parts,
    }


def _check(source: Path, outputs: Outputs) -> Film:
    """Open the film; refuse what cannot be written before any work is done for it."""
    targets = [p for p in (outputs.score, outputs.video, outputs.audio) if p is not None]
    for path in targets:
        check_target(path)
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{str(path)!r} is the video itself; choose another name")
    if len({path.absolute() for path in targets}) < len(targets):
        raise UsageError(f"two outputs have the same name: {', '.join(map(str, targets))}")
    check_keep_audio(outputs.keep_audio)
    film = open_film(source)
    if outputs.video is not None:
        check_mux(film, outputs.video)
    if outputs.bundle is not None:
        check_bundle(outputs.bundle, film)
        for path in targets:
            if path.resolve().is_relative_to(outputs.bundle.resolve()):
                raise UsageError(f"{str(path)!r} is in the bundle; choose a name beside it")
    elif outputs.score is None:
        raise UsageError("nothing would be written; name a score or a bundle")
    return film


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value
