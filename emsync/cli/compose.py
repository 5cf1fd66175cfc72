"""Compose for a film, and see what it asks for: ``generate``, ``plan``, ``analyze``, ``demo``."""

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emsync.cli import wishes
from emsync.cli.app import app
from emsync.cli.common import (
    Json,
    VideoPath,
    print_report,
    progress,
    standard_output,
)
from emsync.cli.wishes import ADVANCED, DEFAULTS, FILES
from emsync.options import CHECKPOINT, LUFS, Options, Outputs

if TYPE_CHECKING:
    from emsync.analysis import Analysis
    from emsync.outputs import Written
    from emsync.result import Result


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
            help="a folder: score, parts, stems, mix, markers, report", rich_help_panel=FILES
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
    keep_audio: wishes.KeptAudio = "replace",
    soundfont: wishes.SoundFontFile = None,
    lufs: wishes.Loudness = LUFS,
    emotion: wishes.Emotion = None,
    valence: wishes.Affect = None,
    arousal: wishes.Affect = None,
    emotion_file: wishes.EmotionFile = None,
    estimator: wishes.Estimator = DEFAULTS.estimator,
    ignore_sound: wishes.IgnoreSound = False,
    audio_stream: wishes.AudioStream = None,
    arc: wishes.ArcKind = DEFAULTS.arc,
    max_va: wishes.LargestMean = None,
    cuts: wishes.Cuts = DEFAULTS.cuts,
    min_cut_distance: wishes.CutDistance = None,
    tempo: wishes.Tempo = None,
    tonic: wishes.Tonic = DEFAULTS.tonic,
    mode: wishes.ModeOfAll = None,
    chords: wishes.Chords = DEFAULTS.chords,
    instruments: wishes.Instruments = None,
    palette: wishes.Palette = None,
    theme: wishes.Theme = None,
    plan: wishes.PlanFile = None,
    like: wishes.Like = None,
    ask: wishes.Ask = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="a score that stays but for --redo: any .mid", rich_help_panel=wishes.MUSIC
        ),
    ] = None,
    redo: Annotated[
        str | None,
        typer.Option(
            help="of --keep, compose these seconds anew: 12.5-20, or 30-",
            rich_help_panel=wishes.MUSIC,
        ),
    ] = None,
    sync: wishes.LeastHit = DEFAULTS.sync,
    ending: wishes.EndingWish = DEFAULTS.ending,
    humanize: wishes.Humanize = DEFAULTS.humanize,
    start_timecode: wishes.StartTimecode = DEFAULTS.start_timecode,
    seed: wishes.Seed = DEFAULTS.seed,
    candidates: wishes.Candidates = DEFAULTS.candidates,
    rhythm: wishes.Rhythm = False,
    guidance: wishes.Guidance = None,
    temperature: wishes.Temperature = None,
    top_p: wishes.TopP = None,
    analysis: wishes.AnalysisFile = None,
    hardware: wishes.Hardware = False,
    max_tempo_change: wishes.TempoChange = DEFAULTS.max_tempo_change,
    top_k: wishes.TopK = None,
    rules_off: wishes.RulesOff = "",
    checkpoint: wishes.CheckpointName = CHECKPOINT,
    device: wishes.Device = "auto",
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
    from emsync.makers import maker_of
    from emsync.outputs import check_makes, check_outputs, check_targets, write_outputs
    from emsync.video.film import open_film

    options = Options(
        analysis=analysis, cuts=cuts, min_cut_distance=min_cut_distance, estimator=estimator,
        ignore_sound=ignore_sound, audio_stream=audio_stream, hardware=hardware,
        emotion_file=emotion_file, arc=arc,
        emotion=emotion, max_va=max_va, ask=wishes.asked(ask), valence=valence, arousal=arousal,
        tempo=tempo, tonic=tonic, sync=sync, max_tempo_change=max_tempo_change, ending=ending,
        start_timecode=start_timecode,
        seed=seed, candidates=candidates, rhythm=rhythm, temperature=temperature, top_p=top_p,
        top_k=top_k, guidance=guidance, plan=plan, theme=theme, like=like, mode=mode,
        chords=chords, instruments=instruments, palette=palette, keep=keep, redo=redo,
        humanize=humanize, rules_off=wishes.lifted(rules_off),
    )  # fmt: skip
    out, video_out, audio_out = standard_output(
        as_json, out, video_out, audio_out, folders=[bundle]
    )
    maker, _ = maker_of(checkpoint)
    if maker.makes == "score":
        out = out or (None if bundle else Path(video.name).with_suffix(".mid"))
    elif not (out or bundle or video_out):
        audio_out = audio_out or Path(video.name).with_suffix(".wav")
    outputs = Outputs(
        out, video_out, audio_out, keep_all, soundfont, keep_audio, bundle, force, audio_stream,
        lufs,
    )  # fmt: skip
    check_makes(maker.makes, checkpoint, outputs)
    check_targets(outputs, video, options, checkpoint)
    film = open_film(video)
    check_outputs(outputs, film)
    if threads is not None:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))
    started = time.perf_counter() - began
    with progress() as show:
        made = pipeline.generate(
            film, options, checkpoint=checkpoint, device=device, progress=show,
            on_candidate=_teller(candidates) if candidates > 1 else None,
        )  # fmt: skip
        written = write_outputs(made, outputs, show)
    timings = {"start": started, **made.timings, **written.timings}
    _report(made, written, timings, time.perf_counter() - began, as_json)


def _teller(total: int) -> Callable[["Result[Any]"], None]:
    """Return what tells on stderr, a line for each, how good the pieces are that are composed."""
    numbers = count(1)

    def tell(piece: "Result[Any]") -> None:
        hits, cuts = len(piece.best.hits), len(piece.cuts)
        met = f", {hits} of {cuts} cuts hit" if cuts else ""
        words = f"emsync: piece {next(numbers)} of {total}: score {piece.best.score:.2f}{met}"
        print(words, file=sys.stderr, flush=True)  # above the bars, if there are any

    return tell


def _report(
    made: "Result[Any]",
    written: "Written",
    timings: Mapping[str, float],
    total: float,
    as_json: bool,
) -> None:
    """Print what was composed and written."""
    from emsync.report.words import loudness_lines

    spent = {stage: round(seconds, 3) for stage, seconds in {**timings, "total": total}.items()}
    files = written.to_json()
    names = [name for kind, name in files.items() if name and kind not in ("score", "loudness")]
    words = [f"{files['score'] or names[0]}: {made.summary()}", *names]
    words += [*loudness_lines(written.loudness), f"{total:.1f} s"]
    report = {**files, **made.to_json(), "timings": spent}
    print_report(report, as_json, "\n".join(words))


@app.command()
def analyze(
    video: VideoPath,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="analysis.json, to edit and to reuse")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="a picture of it all (.png)")] = None,
    save: Annotated[str, typer.Option(help="cut lists to write beside: csv,edl,otio,json")] = "",
    estimator: wishes.Estimator = DEFAULTS.estimator,
    ignore_sound: wishes.IgnoreSound = False,
    audio_stream: wishes.AudioStream = None,
    min_cut_distance: wishes.CutDistance = None,
    hardware: wishes.Hardware = False,
    as_json: Json = False,
) -> None:
    """Find the cuts, motion and emotion of VIDEO."""
    from emsync.brief import brief_of, estimator_of, look
    from emsync.outputs import analysis_targets, check_lists, write_analysis
    from emsync.video.film import open_film

    options = Options(
        estimator=estimator, ignore_sound=ignore_sound, audio_stream=audio_stream,
        min_cut_distance=min_cut_distance, hardware=hardware,
    )  # fmt: skip
    estimator_of(options)  # refuses what cannot be
    out, plot = standard_output(as_json, out, plot)
    beside = (out or Path(video.name)).with_suffix("")
    targets = analysis_targets(video, out, plot, beside, tuple(filter(None, save.split(","))))
    film = open_film(video)
    check_lists(targets, film)
    with progress() as show:
        footage = look(film, options, lambda share: show("Watching", share))
        show("Feeling", 0.0)  # of a long film it takes a while
        seen = brief_of(footage, options)
        write_analysis(seen, footage.strip if footage else (), targets)
    words = "\n".join([*_analysis_lines(seen), *(str(path) for path, _ in targets)])
    print_report(seen.to_json(), as_json, words)


HOW_TO_SAY = "where you know, give plan or generate --emotion, --valence or --emotion-file"


def _analysis_lines(seen: "Analysis") -> list[str]:
    """Return what was found in a film: a line for each cut and each state, and why it is so."""
    from emsync.emotion.plane import in_percent
    from emsync.emotion.reasons import reasons, told, whole, within
    from emsync.video.cuts import left_out

    states = []
    for s in seen.arc:
        shots = within(seen.shots, s.start, s.end)
        said = whole(shots)
        axes = (("valence", s.valence, said.valence_sd), ("arousal", s.arousal, said.arousal_sd))
        felt = ", ".join(
            f"{name} {value:+.2f}" + f" ± {sd:.2f}" * math.isfinite(sd) for name, value, sd in axes
        )
        states.append(f"  {s.start:8.3f} to {s.end:.3f} s  {s.emotion}: {felt}")
        if why := told(reasons(shots)):
            states.append(f"{'':13}{why}")
    return [
        f"{seen.duration:.2f} s, {len(seen.cuts)} cut{'s' * (len(seen.cuts) != 1)}, "
        f"{len(seen.kept)} kept; "
        f"{in_percent(seen.emotion)}: valence {seen.valence:+.2f}, arousal {seen.arousal:+.2f}",
        *(f"  {c.time:8.3f} s  {c.strength:.2f}  {c.reason or 'kept'}" for c in seen.cuts),
        *filter(None, [left_out(seen.cuts)]),
        *states,
        *_guess_lines(seen),
    ]


def _guess_lines(seen: "Analysis") -> list[str]:
    """Return a line where the sign of the valence, which decides the mode, is a guess."""
    from emsync.emotion.reasons import guess

    unsure = guess([(s.start, s.end) for s in seen.arc], seen.shots, "states")
    return [f"{unsure}; {HOW_TO_SAY}"] * bool(unsure)


@app.command()
def plan(
    video: VideoPath,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="plan.json, to edit and to follow", rich_help_panel=FILES),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="a picture of it all (.png)", rich_help_panel=FILES)
    ] = None,
    emotion: wishes.Emotion = None,
    valence: wishes.Affect = None,
    arousal: wishes.Affect = None,
    emotion_file: wishes.EmotionFile = None,
    estimator: wishes.Estimator = DEFAULTS.estimator,
    ignore_sound: wishes.IgnoreSound = False,
    audio_stream: wishes.AudioStream = None,
    arc: wishes.ArcKind = DEFAULTS.arc,
    max_va: wishes.LargestMean = None,
    cuts: wishes.Cuts = DEFAULTS.cuts,
    min_cut_distance: wishes.CutDistance = None,
    tempo: wishes.Tempo = None,
    tonic: wishes.Tonic = DEFAULTS.tonic,
    mode: wishes.ModeOfAll = None,
    chords: wishes.Chords = DEFAULTS.chords,
    instruments: wishes.Instruments = None,
    palette: wishes.Palette = None,
    theme: wishes.Theme = None,
    plan: wishes.PlanFile = None,
    sync: wishes.LeastHit = DEFAULTS.sync,
    ending: wishes.EndingWish = DEFAULTS.ending,
    start_timecode: wishes.StartTimecode = DEFAULTS.start_timecode,
    seed: wishes.Seed = DEFAULTS.seed,
    analysis: wishes.AnalysisFile = None,
    hardware: wishes.Hardware = False,
    max_tempo_change: wishes.TempoChange = DEFAULTS.max_tempo_change,
    as_json: Json = False,
) -> None:
    """Plan the music of VIDEO, to be edited and followed: its sections, chords and players."""
    from emsync.brief import brief_of, check_files, look
    from emsync.outputs import plan_targets, write_plan
    from emsync.planning.planner import plan_of
    from emsync.video.film import open_film

    options = Options(
        analysis=analysis, cuts=cuts, min_cut_distance=min_cut_distance, estimator=estimator,
        ignore_sound=ignore_sound, audio_stream=audio_stream, hardware=hardware,
        emotion_file=emotion_file, arc=arc,
        emotion=emotion, max_va=max_va, valence=valence, arousal=arousal, tempo=tempo, tonic=tonic,
        mode=mode, chords=chords,
        instruments=instruments, palette=palette, plan=plan, theme=theme, sync=sync,
        max_tempo_change=max_tempo_change, ending=ending, start_timecode=start_timecode, seed=seed,
    )  # fmt: skip
    out, plot = standard_output(as_json, out, plot)
    targets = plan_targets(video, out, plot, options)
    film = open_film(video)
    check_files(film, options)
    with progress() as show:
        footage = look(film, options, lambda share: show("Watching", share))
        show("Feeling", 0.0)  # of a long film it takes a while
        seen = brief_of(footage, options)
        made = plan_of(seen, options)
        write_plan(made, seen, footage.strip if footage else (), targets, options)
    given = not seen.estimator or options.analysis or options.plan or options.mode or chords
    lines = [made.summary(), *([] if given else _guess_lines(seen))]
    words = "\n".join([*lines, *(str(path) for path, _ in targets)])
    print_report(made.to_json(), as_json, words)


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
