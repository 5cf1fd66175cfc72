"""The command line: each subcommand is a thin call of one library function.

Progress and messages go to stderr, results to stdout; with --json stdout has one JSON object.
"""

import atexit
import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import emsync
from emsync.errors import EmsyncError, UsageError
from emsync.options import (
    CHECKPOINT,
    Arc,
    EndingKind,
    Instruments,
    KeepAudio,
    Metric,
    Options,
    Outputs,
    Sync,
)

if TYPE_CHECKING:
    from emsync.analysis import Analysis
    from emsync.composition import Composition
    from emsync.outputs import Written

app = typer.Typer(
    name="emsync",
    help="Music that follows a video: its mood, its cuts, its last frame.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate_app = typer.Typer(help="Measure a model or its music.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")

INTERRUPTED = 130
BadCommandLine: Any = typer.BadParameter.__mro__[2]  # click's exception, vendored or not

VideoPath = Annotated[Path, typer.Argument(metavar="VIDEO", help="the video file")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object, and nothing else")]
Checkpoint = Annotated[str, typer.Option(help="a shipped checkpoint's name, or a folder")]
EmotionEstimator = Annotated[
    str,
    typer.Option(help="what estimates the emotion: pictures, or pictures=0.5,clip:FOLDER=0.5"),
]
SoundFont = Annotated[Path | None, typer.Option(help="an .sf2 file to play with")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code (see ``emsync.errors``)."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        sys.unraisablehook = lambda _: None  # what cannot pass it on need not say so
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    gc.set_threshold(50_000)  # imports make much of which little is garbage, and take a third less
    atexit.register(gc.freeze)  # what is left goes with the process, and need not be looked through
    try:
        code = app(
            args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False
        )
    except EmsyncError as error:
        print(f"emsync: {error}", file=sys.stderr)
        return error.exit_code
    except BadCommandLine as error:
        if message := error.format_message():  # none where the help was printed instead
            print(f"emsync: {message} (see --help)", file=sys.stderr)
        return UsageError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of stdout has gone; say nothing more
        return 1
    except MemoryError:
        print("emsync: out of memory; try a shorter video or fewer candidates", file=sys.stderr)
        return EmsyncError.exit_code
    except OSError as error:
        name = f" {error.filename!r}" if error.filename else ""
        print(f"emsync: {error.strerror or error}{name}", file=sys.stderr)
        return EmsyncError.exit_code
    except Exception:
        if not interrupts:
            raise
        code = INTERRUPTED  # came while Numba compiled, which cannot pass it on, and then fails
    if code == INTERRUPTED:  # typer, too, turns an interrupt into this code
        print("emsync: interrupted; nothing was written", file=sys.stderr)
    return int(code or 0)


def _version(asked: bool) -> None:
    if asked:
        print(f"emsync {emsync.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="tell the version")
    ] = False,
) -> None:
    pass


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Yield what shows the share done of each stage as a bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=1.0)
            bars.update(tasks[stage], completed=min(1.0, max(0.0, share)))

        yield show


def _print(report: dict[str, Any], as_json: bool, words: str) -> None:
    """Print the report as JSON, or the words for a person."""
    print(json.dumps(report, allow_nan=False) if as_json else words)


DEFAULTS = Options()
MUSIC, EMOTION, DRAWING, FILES, ADVANCED = (
    "The music", "The emotion", "How it is composed", "What is written", "Advanced",
)  # fmt: skip


@app.command()
def generate(
    video: VideoPath,
    out: Annotated[
        Path | None,
        typer.Option(
            help="the score (.mid)", show_default="VIDEO's name, .mid", rich_help_panel=FILES
        ),
    ] = None,
    video_out: Annotated[
        Path | None,
        typer.Option("--video", help="the video with the music", rich_help_panel=FILES),
    ] = None,
    audio_out: Annotated[
        Path | None, typer.Option("--audio", help="the music as a WAV", rich_help_panel=FILES)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="a folder: score, stems, markers, notation, report", rich_help_panel=FILES
        ),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option(
            "--keep-all", help="write all candidates, ranked: OUT.1.mid …", rich_help_panel=FILES
        ),
    ] = False,
    keep_audio: Annotated[
        KeepAudio,
        typer.Option(help="the film's own sound; duck plays music under it", rich_help_panel=FILES),
    ] = "replace",
    soundfont: Annotated[
        Path | None, typer.Option(help="an .sf2 file to play with", rich_help_panel=FILES)
    ] = None,
    emotion: Annotated[
        str | None,
        typer.Option(help="such as joy, or joy=0.7,sadness=0.3", rich_help_panel=EMOTION),
    ] = None,
    valence: Annotated[
        float | None, typer.Option(help="from -1 to 1", rich_help_panel=EMOTION)
    ] = None,
    arousal: Annotated[
        float | None, typer.Option(help="from -1 to 1", rich_help_panel=EMOTION)
    ] = None,
    emotion_file: Annotated[
        Path | None,
        typer.Option(help="a CSV of time,valence,arousal or time,emotion", rich_help_panel=EMOTION),
    ] = None,
    estimator: Annotated[
        str,
        typer.Option(
            help="what estimates it: pictures, or pictures=0.5,clip:FOLDER=0.5",
            rich_help_panel=EMOTION,
        ),
    ] = DEFAULTS.estimator,
    arc: Annotated[
        Arc,
        typer.Option(help="whether the emotion follows the scenes", rich_help_panel=EMOTION),
    ] = DEFAULTS.arc,
    max_va: Annotated[
        float | None,
        typer.Option(
            help="largest mean of an emotion, to 1: lower is tamer",
            show_default="0.8",
            rich_help_panel=EMOTION,
        ),
    ] = None,
    cuts: Annotated[
        str, typer.Option(help="auto, none, or a file of cuts", rich_help_panel=MUSIC)
    ] = DEFAULTS.cuts,
    tempo: Annotated[
        float | None,
        typer.Option(
            help="beats a minute",
            show_default="by the arousal and the cuts",
            rich_help_panel=MUSIC,
        ),
    ] = None,
    tonic: Annotated[
        str,
        typer.Option(
            help="the note the music is built on, such as F#",
            show_default="by the seed",
            rich_help_panel=MUSIC,
        ),
    ] = DEFAULTS.tonic,
    instruments: Annotated[
        Instruments | None,
        typer.Option(
            help="one or two, or three to five", show_default="more", rich_help_panel=MUSIC
        ),
    ] = None,
    sync: Annotated[
        Sync, typer.Option(help="the least that may hit a cut", rich_help_panel=MUSIC)
    ] = DEFAULTS.sync,
    ending: Annotated[
        EndingKind, typer.Option(help="how the music ends", rich_help_panel=MUSIC)
    ] = DEFAULTS.ending,
    start_timecode: Annotated[
        str, typer.Option(help="of the first frame: 01:00:00:00", rich_help_panel=MUSIC)
    ] = DEFAULTS.start_timecode,
    seed: Annotated[
        int, typer.Option(min=0, help="another number, another piece", rich_help_panel=DRAWING)
    ] = DEFAULTS.seed,
    candidates: Annotated[
        int, typer.Option(help="compose so many pieces, keep the best", rich_help_panel=DRAWING)
    ] = DEFAULTS.candidates,
    rhythm: Annotated[
        bool,
        typer.Option(
            "--rhythm",
            help="of the candidates, prefer one that moves with the pictures",
            rich_help_panel=DRAWING,
        ),
    ] = False,
    guidance: Annotated[
        float | None,
        typer.Option(
            help="how strongly the conditions weigh: 1 as learned, more is stricter",
            show_default="the checkpoint's",
            rich_help_panel=DRAWING,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="higher is bolder", show_default="the checkpoint's", rich_help_panel=DRAWING
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="draw among the likeliest tokens that hold this share",
            show_default="the checkpoint's",
            rich_help_panel=DRAWING,
        ),
    ] = None,
    analysis: Annotated[
        Path | None,
        typer.Option(
            help="what `emsync analyze` wrote, instead of watching", rich_help_panel=ADVANCED
        ),
    ] = None,
    max_tempo_change: Annotated[
        float, typer.Option(help="to hit the cuts; 0.06 is 6 %", rich_help_panel=ADVANCED)
    ] = DEFAULTS.max_tempo_change,
    top_k: Annotated[
        int | None,
        typer.Option(help="draw among so many tokens at most", rich_help_panel=ADVANCED),
    ] = None,
    rules_off: Annotated[
        str,
        typer.Option(
            help="rules of grammar to lift: sounding,polyphony,length,order,metre",
            rich_help_panel=ADVANCED,
        ),
    ] = "",
    checkpoint: Annotated[
        str,
        typer.Option(help="a shipped checkpoint's name, or a folder", rich_help_panel=ADVANCED),
    ] = CHECKPOINT,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto", rich_help_panel=ADVANCED)
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="of the processor that the model may use",
            show_default="all",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compose a score for VIDEO."""
    began = time.perf_counter()
    import torch

    from emsync import pipeline
    from emsync.emotion.plane import parse_emotion
    from emsync.outputs import check_outputs, check_targets, write_outputs
    from emsync.video.film import open_film

    options = Options(
        analysis=analysis, cuts=cuts, estimator=estimator, emotion_file=emotion_file, arc=arc,
        emotion=None if emotion is None else parse_emotion(emotion), max_va=max_va,
        valence=valence, arousal=arousal, tempo=tempo, tonic=tonic, sync=sync,
        max_tempo_change=max_tempo_change, ending=ending, start_timecode=start_timecode,
        seed=seed, candidates=candidates, rhythm=rhythm, temperature=temperature, top_p=top_p,
        top_k=top_k, guidance=guidance, instruments=instruments,
        rules_off=tuple(filter(None, rules_off.split(","))) or None,
    )  # fmt: skip
    outputs = Outputs(
        out or (None if bundle else Path(video.name).with_suffix(".mid")), video_out, audio_out,
        keep_all, soundfont, keep_audio, bundle,
    )  # fmt: skip
    check_targets(outputs, video)
    film = open_film(video)
    check_outputs(outputs, film)
    if threads is not None:
        torch.set_num_threads(threads)
    started = time.perf_counter() - began
    with _progress() as show:
        composition = pipeline.generate(
            film, options, checkpoint=checkpoint, device=device, progress=show
        )
        written = write_outputs(composition, outputs, show)
    timings = {"start": started, **composition.timings, **written.timings}
    _report(composition, written, timings, time.perf_counter() - began, as_json)


def _report(
    composition: "Composition",
    written: "Written",
    timings: Mapping[str, float],
    total: float,
    as_json: bool,
) -> None:
    """Print what was composed and written."""
    spent = {stage: round(seconds, 3) for stage, seconds in {**timings, "total": total}.items()}
    files = written.to_json()
    names = [name for kind, name in files.items() if name and kind != "score"]
    words = [f"{files['score'] or names[0]}: {composition.summary()}", *names, f"{total:.1f} s"]
    report = {**files, **composition.to_json(), "timings": spent}
    _print(report, as_json, "\n".join(words))


@app.command()
def analyze(
    video: VideoPath,
    out: Annotated[Path | None, typer.Option(help="analysis.json, to edit and to reuse")] = None,
    plot: Annotated[Path | None, typer.Option(help="a picture of it all (.png)")] = None,
    save: Annotated[str, typer.Option(help="cut lists to write beside: csv,edl,otio,json")] = "",
    estimator: EmotionEstimator = DEFAULTS.estimator,
    as_json: Json = False,
) -> None:
    """Find the cuts, motion and emotion of VIDEO."""
    from emsync.analysis import Analysis
    from emsync.emotion.estimator import choose
    from emsync.outputs import analysis_targets, write_analysis
    from emsync.video.film import open_film
    from emsync.video.watch import watch

    chosen = choose(estimator)
    beside = (out or Path(video.name)).with_suffix("")
    targets = analysis_targets(out, plot, beside, tuple(filter(None, save.split(","))))
    with _progress() as show:
        footage = watch(
            open_film(video), lambda share: show("Watching", share), stills=chosen.stills
        )
        seen = Analysis.of(footage, chosen)
        write_analysis(seen, footage.strip, targets)
    words = "\n".join([*_analysis_lines(seen), *(str(path) for path, _ in targets)])
    _print(seen.to_json(), as_json, words)


def _analysis_lines(seen: "Analysis") -> list[str]:
    """Return what was found in a film, a line for each cut and each scene."""
    return [
        f"{seen.duration:.2f} s, {len(seen.cuts)} cuts, {len(seen.kept)} kept; "
        f"valence {seen.valence:+.2f}, arousal {seen.arousal:+.2f}",
        *(f"  {c.time:8.3f} s  {c.strength:.2f}  {c.reason or 'kept'}" for c in seen.cuts),
        *(
            f"  {s.start:8.3f} to {s.end:.3f} s  {s.emotion + ', ' if s.emotion else ''}"
            f"valence {s.valence:+.2f}, arousal {s.arousal:+.2f}"
            for s in seen.arc
        ),
    ]


@app.command()
def render(
    score: Annotated[Path, typer.Argument(metavar="SCORE", help="a MIDI file")],
    out: Annotated[Path, typer.Option(help="the WAV file to write")],
    duration: Annotated[
        float | None, typer.Option(help="seconds", show_default="the score's")
    ] = None,
    fade: Annotated[float, typer.Option(help="seconds of fade-out at the end")] = 3.0,
    soundfont: SoundFont = None,
    as_json: Json = False,
) -> None:
    """Play SCORE into a WAV file."""
    from emsync.sound import audio

    with _progress() as show:
        show("Playing", 0.0)
        sound = audio.render(score, out, duration=duration, fade=fade, soundfont=soundfont)
    report = {
        "audio": str(out),
        "duration": sound.duration if duration is None else duration,
        "synthesizer": audio.synthesizer_name(),
    }
    words = f"{report['audio']}: {report['duration']:.2f} s, {report['synthesizer']}"
    _print(report, as_json, words)


@app.command()
def check(
    score: Annotated[Path, typer.Argument(metavar="SCORE", help="a MIDI file")],
    as_json: Json = False,
) -> int:
    """Say in plain words what would trouble a musician who opens SCORE; exit 1 if it is broken."""
    from emsync.formats import midi

    report = midi.check(score)
    verdict = "keeps the contract" if report.ok else "breaks the contract"
    lines = [f"{score}: {verdict}", *(f"  error: {text}" for text in report.errors)]
    lines += [f"  remark: {text}" for text in report.warnings]
    _print(report.to_json(), as_json, "\n".join(lines))
    return 0 if report.ok else 1


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="the folder to write to")] = Path("emsync-demo"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Draw a clip of five scenes and compose for it."""
    began = time.perf_counter()
    from emsync.demo import demonstrate

    with _progress() as show:
        composition, written = demonstrate(out, seed, show)
    timings = {**composition.timings, **written.timings}
    _report(composition, written, timings, time.perf_counter() - began, as_json)


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the conditioners, tokenizers, estimators and checkpoints that are installed."""
    from emsync import installed as listing

    found = listing.everything()
    lines = []
    for kind, entries in found.items():
        lines += [f"{kind}:", *(f"  {name:<18} {summary}" for name, summary in entries.items())]
    _print(found, as_json, "\n".join(lines))


@app.command()
def prepare(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="folders and files")],
    out: Annotated[Path, typer.Option(help="the folder of the token store")],
    labels: Annotated[
        Path | None, typer.Option(help="lpd_index.csv, or your own path,valence,arousal")
    ] = None,
    tempo: Annotated[
        float | None, typer.Option(help="bring all songs to so many beats a minute")
    ] = None,
    tokenizer: Annotated[str, typer.Option(help="its plug-in's name")] = "events",
    workers: Annotated[int | None, typer.Option(help="processes", show_default="all cores")] = None,
    as_json: Json = False,
) -> None:
    """Turn Lakh Pianoroll or MIDI files into a store to train on."""
    from emsync import plugins as door
    from emsync.data.store import prepare as fill
    from emsync.tokens import Tokenizer

    scheme = door.load(door.TOKENIZERS, tokenizer, Tokenizer)()
    with _progress() as show:
        outcome = fill(sources, out, scheme, labels=labels, tempo=tempo, workers=workers,
                       progress=lambda done, of: show("Preparing", done / of))  # fmt: skip
    report = {"store": str(out), "songs": outcome.songs, "tokens": outcome.tokens,
              "skipped": [{"path": p, "reason": r} for p, r in outcome.skipped]}  # fmt: skip
    words = f"{out}: {outcome.songs} songs, {outcome.tokens} tokens, {len(outcome.skipped)} skipped"
    _print(report, as_json, "\n".join([words, *(f"  {p}: {r}" for p, r in outcome.skipped)]))


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="the settings of the run")],
) -> None:
    """Train a model on a store; run it again to go on where it stopped."""
    from emsync.training.loop import TrainConfig
    from emsync.training.loop import train as run

    settings = TrainConfig.load(config)
    with _progress() as show:

        def tell(progress: Any, row: dict[str, float]) -> None:
            show(f"Training, loss {row['loss']:.3f}", progress.share(settings))

        run(settings, tell)


@app.command()
def match(
    video: VideoPath,
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="a folder of music")],
    metric: Annotated[Metric, typer.Option(help="cm (onsets) or dm (beats)")] = "cm",
    top: Annotated[int, typer.Option(min=1, help="tell so many tracks")] = 10,
    index: Annotated[
        Path | None, typer.Option(help="keep what is heard in this file, for the next time")
    ] = None,
    video_out: Annotated[
        Path | None, typer.Option("--video", help="the video with the best track")
    ] = None,
    as_json: Json = False,
) -> int:
    """Rank the music in LIBRARY by how its rhythm meets VIDEO's."""
    from emsync import matching

    with _progress() as show:
        found = matching.match(
            video, library, metric=metric, top=top, index=index, out=video_out, progress=show
        )
    if found.rebuilt:
        print(f"emsync: the index is made anew: {found.rebuilt}", file=sys.stderr)
    lines = [f"{m.score:10.4f}  from {m.offset:8.2f} s  {m.path}" for m in found.matches]
    lines += [str(video_out)] if video_out else []
    report = found.to_json()
    _print(report, as_json, "\n".join(lines))
    return _skipped(report["skipped"])


@evaluate_app.command()
def likelihood(
    corpus: Annotated[Path, typer.Argument(metavar="LPD_DIR", help="songs in .npz or MIDI")],
    checkpoint: Checkpoint = CHECKPOINT,
    limit: Annotated[int | None, typer.Option(min=1, help="measure so many songs")] = None,
    as_json: Json = False,
) -> None:
    """Measure the nats per token of songs that the model was not trained on."""
    from emsync.evaluation.likelihood import evaluate, untrained
    from emsync.model.composer import Composer, find_checkpoint

    songs = untrained([corpus], find_checkpoint(checkpoint), limit)
    composer = Composer.from_pretrained(checkpoint)
    with _progress() as show:
        report = evaluate(composer, songs, progress=lambda done, of: show("Reading", done / of))
    words = (
        f"{report['nats_per_token']:.3f} nats a token, "
        f"{report['bits_per_second']:.1f} bits a second"
    )
    _print(report, as_json, f"{words}, on {report['songs']} songs, {report['tokens']} tokens")


@evaluate_app.command()
def sync(
    video: VideoPath,
    music: Annotated[Path, typer.Argument(metavar="MUSIC", help="audio, a film, or MIDI")],
    reference: Annotated[Path | None, typer.Option(help="the music VIDEO came with")] = None,
    tagger: Annotated[
        Path | None, typer.Option(help="a music tagger (.onnx, or TorchScript: it runs code)")
    ] = None,
    tagger_rate: Annotated[int, typer.Option(help="samples a second it listens at")] = 16000,
    as_json: Json = False,
) -> None:
    """Measure how MUSIC goes with the pictures of VIDEO."""
    from emsync.evaluation import measure

    with _progress() as show:
        report = measure.sync(video, music, reference, tagger, tagger_rate, show)
    _print(report, as_json, "\n".join(measure.sync_table(report)))


@evaluate_app.command()
def quality(
    scores: Annotated[list[Path], typer.Argument(metavar="SCORES...", help="MIDI, or folders")],
    reference: Annotated[Path, typer.Option(help="a folder of real songs, .npz or MIDI")],
    limit: Annotated[int, typer.Option(min=2, help="songs to compare with")] = 100,
    as_json: Json = False,
) -> int:
    """Compare SCORES with real songs, by symbolic statistics."""
    from emsync.evaluation import measure

    with _progress() as show:
        report = measure.compare(scores, reference, limit, show)
    head = f"{report['scores']} scores, {report['songs']} songs of {report['seconds']:.0f} s"
    _print(report, as_json, "\n".join([head, *measure.quality_table(report["statistics"])]))
    return _skipped(report["failed"])


@evaluate_app.command()
def control(
    checkpoint: Checkpoint = CHECKPOINT,
    pieces: Annotated[int, typer.Option(help="to draw for each condition")] = 36,
    seconds: Annotated[float, typer.Option(help="of each piece")] = 12.0,
    as_json: Json = False,
) -> None:
    """Ask a model for random conditions, and measure whether its music meets them."""
    from emsync.evaluation import measure

    with _progress() as show:
        report = measure.control(checkpoint, pieces, seconds, show)
    _print(report, as_json, "\n".join(measure.control_table(report)))


@evaluate_app.command()
def suite(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of films")],
    seeds: Annotated[int, typer.Option(min=1, help="pieces for each film and condition")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="a folder for suite.md, suite.json and the scores")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="a folder of real songs to compare the scores with")
    ] = None,
    control_pieces: Annotated[
        int, typer.Option("--control", min=0, help="pieces to draw for each control; 0 for none")
    ] = 0,
    checkpoint: Checkpoint = CHECKPOINT,
    as_json: Json = False,
) -> int:
    """Compose for all films in DIR, told their cuts and not, fitted and not; measure it all."""
    from emsync.evaluation import suite as measure

    with _progress() as show:
        report = measure.suite(folder, checkpoint, seeds, out, reference, control_pieces, show)
    _print(report, as_json, str(out / "suite.md") if out else measure.table(report))
    return _skipped(report["failed"])


def _skipped(items: Sequence[dict[str, Any]]) -> int:
    """Tell what could not be read; return the exit code."""
    from emsync.errors import PartialError

    for item in items:
        print(f"emsync: skipped {item['path']}: {item['reason']}", file=sys.stderr)
    return PartialError.exit_code if items else 0
