"""Compose for a film, and look at what it asks for: ``generate``, ``analyze``, ``demo``."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emsync.cli.app import app
from emsync.cli.common import (
    EmotionEstimator,
    Json,
    VideoPath,
    print_report,
    progress,
    standard_output,
)
from emsync.errors import UsageError
from emsync.options import (
    CHECKPOINT,
    Arc,
    EndingKind,
    KeepAudio,
    Mode,
    Options,
    Outputs,
    Sync,
)

if TYPE_CHECKING:
    from emsync.analysis import Analysis
    from emsync.composition import Composition
    from emsync.outputs import Written

DEFAULTS = Options()
MUSIC, EMOTION, DRAWING, FILES, ADVANCED = (
    "The music", "The emotion", "How it is composed", "What is written", "Advanced",
)  # fmt: skip

CutDistance = Annotated[
    float | None,
    typer.Option(
        help="seconds; of cuts nearer to each other the stronger is hit; 0 keeps all",
        show_default="4; all cuts of a list",
        rich_help_panel=MUSIC,
    ),
]


@app.command()
def generate(
    video: VideoPath,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="the score (.mid)",
            show_default="VIDEO's name, .mid",
            rich_help_panel=FILES,
        ),
    ] = None,
    video_out: Annotated[
        Path | None,
        typer.Option("--video", help="the video with the music", rich_help_panel=FILES),
    ] = None,
    audio_out: Annotated[
        Path | None,
        typer.Option(
            "--audio", help="the music: .wav, .flac, .mp3, .ogg, .opus, .m4a", rich_help_panel=FILES
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="a folder: score, stems, markers, notation, report", rich_help_panel=FILES
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="let --bundle replace another film's, or into a folder of other things",
            rich_help_panel=FILES,
        ),
    ] = False,
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
    audio_stream: Annotated[
        int | None,
        typer.Option(
            help="which of the film's sounds is kept, counted from 0",
            show_default="what players take",
            rich_help_panel=FILES,
        ),
    ] = None,
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
    min_cut_distance: CutDistance = None,
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
    ask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="what a plug-in condition reads; may be given again",
            rich_help_panel=MUSIC,
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="of all sections", show_default="by the valence", rich_help_panel=MUSIC),
    ] = None,
    chords: Annotated[
        str,
        typer.Option(
            help="'Am F C G': a chord a bar, over and over; Am/2 is half a bar",
            show_default="by the seed",
            rich_help_panel=MUSIC,
        ),
    ] = DEFAULTS.chords,
    instruments: Annotated[
        str | None,
        typer.Option(
            help="that play: some of drums,bass,guitar,piano,strings",
            show_default="by the arousal",
            rich_help_panel=MUSIC,
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="what `emsync plan` wrote, instead of making one", rich_help_panel=MUSIC),
    ] = None,
    sync: Annotated[
        Sync, typer.Option(help="the least that may hit a cut", rich_help_panel=MUSIC)
    ] = DEFAULTS.sync,
    ending: Annotated[
        EndingKind | None,
        typer.Option(
            help="how the music ends",
            show_default="the plan's, or cadence",
            rich_help_panel=MUSIC,
        ),
    ] = DEFAULTS.ending,
    start_timecode: Annotated[
        str,
        typer.Option(
            help="of the first frame: 01:00:00:00",
            show_default="the film's own",
            rich_help_panel=MUSIC,
        ),
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
            help="rules to lift: sounding,polyphony,length,order,metre,harmony,instruments",
            rich_help_panel=ADVANCED,
        ),
    ] = "",
    checkpoint: Annotated[
        str,
        typer.Option(
            help="a shipped checkpoint's name, a folder, or hub:user/name", rich_help_panel=ADVANCED
        ),
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
    from emsync.outputs import check_outputs, check_targets, write_outputs
    from emsync.video.film import open_film

    options = Options(
        analysis=analysis, cuts=cuts, min_cut_distance=min_cut_distance, estimator=estimator,
        emotion_file=emotion_file, arc=arc, emotion=emotion, max_va=max_va,
        ask=_asked(ask), valence=valence, arousal=arousal, tempo=tempo, tonic=tonic, sync=sync,
        max_tempo_change=max_tempo_change, ending=ending, start_timecode=start_timecode,
        seed=seed, candidates=candidates, rhythm=rhythm, temperature=temperature, top_p=top_p,
        top_k=top_k, guidance=guidance, plan=plan, mode=mode, chords=chords,
        instruments=None if instruments is None else _names(instruments),
        rules_off=tuple(filter(None, rules_off.split(","))) or None,
    )  # fmt: skip
    out, video_out, audio_out = standard_output(
        as_json, out, video_out, audio_out, folders=[bundle]
    )
    outputs = Outputs(
        out or (None if bundle else Path(video.name).with_suffix(".mid")), video_out, audio_out,
        keep_all, soundfont, keep_audio, bundle, force, audio_stream,
    )  # fmt: skip
    check_targets(outputs, video, options, checkpoint)
    film = open_film(video)
    check_outputs(outputs, film)
    if threads is not None:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))
    started = time.perf_counter() - began
    with progress() as show:
        composition = pipeline.generate(
            film, options, checkpoint=checkpoint, device=device, progress=show
        )
        written = write_outputs(composition, outputs, show)
    timings = {"start": started, **composition.timings, **written.timings}
    _report(composition, written, timings, time.perf_counter() - began, as_json)


def _names(text: str) -> tuple[str, ...]:
    """Return the names between the commas of a list."""
    return tuple(name.strip() for name in text.split(","))


def _asked(pairs: list[str] | None) -> dict[str, str] | None:
    """Return {name: value} of ``NAME=VALUE`` words."""
    if not pairs:
        return None
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise UsageError(f"--ask {pair!r} is no NAME=VALUE, such as style=calm")
    return dict(pair.split("=", 1) for pair in pairs)


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
    print_report(report, as_json, "\n".join(words))


@app.command()
def analyze(
    video: VideoPath,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="analysis.json, to edit and to reuse")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="a picture of it all (.png)")] = None,
    save: Annotated[str, typer.Option(help="cut lists to write beside: csv,edl,otio,json")] = "",
    estimator: EmotionEstimator = DEFAULTS.estimator,
    min_cut_distance: CutDistance = None,
    as_json: Json = False,
) -> None:
    """Find the cuts, motion and emotion of VIDEO."""
    from emsync.analysis import Analysis
    from emsync.emotion.estimator import choose
    from emsync.outputs import analysis_targets, check_lists, write_analysis
    from emsync.video.film import open_film
    from emsync.video.watch import watch

    Options(min_cut_distance=min_cut_distance)  # refuses what cannot be
    chosen = choose(estimator)
    out, plot = standard_output(as_json, out, plot)
    beside = (out or Path(video.name)).with_suffix("")
    targets = analysis_targets(video, out, plot, beside, tuple(filter(None, save.split(","))))
    film = open_film(video)
    check_lists(targets, film)
    with progress() as show:
        footage = watch(film, lambda share: show("Watching", share), stills=chosen.stills)
        seen = Analysis.of(footage, chosen, min_cut_distance=min_cut_distance)
        write_analysis(seen, footage.strip, targets)
    words = "\n".join([*_analysis_lines(seen), *(str(path) for path, _ in targets)])
    print_report(seen.to_json(), as_json, words)


def _analysis_lines(seen: "Analysis") -> list[str]:
    """Return what was found in a film, a line for each cut and each scene."""
    from emsync.emotion.plane import in_percent
    from emsync.video.cuts import left_out

    return [
        f"{seen.duration:.2f} s, {len(seen.cuts)} cuts, {len(seen.kept)} kept; "
        f"{in_percent(seen.emotion)}: valence {seen.valence:+.2f}, arousal {seen.arousal:+.2f}",
        *(f"  {c.time:8.3f} s  {c.strength:.2f}  {c.reason or 'kept'}" for c in seen.cuts),
        *filter(None, [left_out(seen.cuts)]),
        *(
            f"  {s.start:8.3f} to {s.end:.3f} s  {s.emotion}: "
            f"valence {s.valence:+.2f}, arousal {s.arousal:+.2f}"
            for s in seen.arc
        ),
    ]


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="the folder to write to")] = Path(
        "emsync-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="another number, another piece")] = 0,
    as_json: Json = False,
) -> None:
    """Draw a clip of five scenes and compose for it."""
    began = time.perf_counter()
    from emsync.demo import demonstrate

    standard_output(as_json, folders=[out])
    with progress() as show:
        composition, written = demonstrate(out, seed, show)
    timings = {**composition.timings, **written.timings}
    _report(composition, written, timings, time.perf_counter() - began, as_json)
    if not as_json:
        print(f"{out / 'report.html'}: open it in a browser")
