"""Compose for many films at once: ``batch``."""

import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emsync.cli import wishes
from emsync.cli.app import app
from emsync.cli.common import Json, plain_line, print_report, progress, standard_output
from emsync.cli.wishes import DEFAULTS, FILES
from emsync.errors import PartialError
from emsync.options import CHECKPOINT, LUFS, Options
from emsync.progress import clock

if TYPE_CHECKING:
    from emsync.batch.job import Row

WHERE = "Where it is done"


@app.command()
def batch(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|LIST",
            help="a folder of films, a text with a path a line, or a .csv of films and wishes",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="the folder to write to", rich_help_panel=FILES
        ),
    ],
    save: Annotated[
        str,
        typer.Option(
            help="of each film: mid,wav,mp4,bundle, or other suffixes of sound and film",
            show_default="mid",
            rich_help_panel=FILES,
        ),
    ] = "",
    keep_audio: wishes.KeptAudio = "replace",
    soundfont: wishes.SoundFontFile = None,
    lufs: wishes.Loudness = LUFS,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="processes, which share the processors",
            show_default="one for each processor",
            rich_help_panel=WHERE,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="of a Dask scheduler, whose workers see the same files",
            rich_help_panel=WHERE,
        ),
    ] = None,
    emotion: wishes.Emotion = None,
    valence: wishes.Affect = None,
    arousal: wishes.Affect = None,
    estimator: wishes.Estimator = DEFAULTS.estimator,
    ignore_sound: wishes.IgnoreSound = False,
    audio_stream: wishes.AudioStream = None,
    hardware: wishes.Hardware = False,
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
    like: wishes.Like = None,
    ask: wishes.Ask = None,
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
    max_tempo_change: wishes.TempoChange = DEFAULTS.max_tempo_change,
    top_k: wishes.TopK = None,
    rules_off: wishes.RulesOff = "",
    checkpoint: wishes.CheckpointName = CHECKPOINT,
    device: wishes.Device = "auto",
    as_json: Json = False,
) -> int:
    """Compose for all films of FOLDER or LIST; run it again to go on where it stopped."""
    from emsync.batch.batch import Saved
    from emsync.batch.batch import batch as run

    standard_output(as_json, folders=[out])
    options = Options(
        cuts=cuts, min_cut_distance=min_cut_distance, estimator=estimator,
        ignore_sound=ignore_sound, audio_stream=audio_stream, hardware=hardware, arc=arc,
        emotion=emotion, max_va=max_va, ask=wishes.asked(ask), valence=valence, arousal=arousal,
        tempo=tempo, tonic=tonic, sync=sync, max_tempo_change=max_tempo_change, ending=ending,
        start_timecode=start_timecode, seed=seed, candidates=candidates, rhythm=rhythm,
        temperature=temperature, top_p=top_p, top_k=top_k, guidance=guidance, theme=theme,
        like=like, mode=mode, chords=chords, instruments=instruments, palette=palette,
        humanize=humanize, rules_off=wishes.lifted(rules_off),
    )  # fmt: skip
    kinds = tuple(kind for part in save.split(",") if (kind := part.strip()))
    saved = Saved(kinds, keep_audio, soundfont, lufs)
    numbers = count(1)

    def tell(row: "Row", total: int) -> None:
        number = f"film {next(numbers)} of {total}"
        told = plain_line(f"emsync: {number}: {row['film']}: {_became(row)}")
        print(told, file=sys.stderr, flush=True)  # above the bar, if there is one

    try:
        with progress() as show:
            report = run(
                source, out, options, saved, checkpoint=checkpoint, device=device, workers=workers,
                address=cluster, progress=show, on_film=tell,
            )  # fmt: skip
    except KeyboardInterrupt:
        print("emsync: films that are done stay; the same command goes on", file=sys.stderr)
        raise
    print_report(report, as_json, "\n".join(_lines(out, report)))
    return PartialError.exit_code if report["failed"] else 0


def _became(row: "Row") -> str:
    """Return what became of a film, in a few words."""
    if row["status"] == "failed":
        return row["error"]
    spent = f", {row['seconds']:.1f} s" if row["status"] == "composed" else ""
    return f"{row['status']}, {row['hits']} of {row['cuts']} cuts hit{spent}"


def _lines(out: Path, report: dict[str, Any]) -> list[str]:
    """Return a line on all films, and one on each that failed."""
    counts = ", ".join(f"{report[status]} {status}" for status in ("composed", "kept", "failed"))
    many = len(report["films"])
    return [
        f"{out}: {many} film{'' if many == 1 else 's'}: {counts}; {report['hits']} of "
        f"{report['cuts']} cuts hit; {clock(report['seconds'])}",
        *(
            plain_line(f"  {row['film']}: {row['error']}")
            for row in report["films"]
            if row["status"] == "failed"
        ),
    ]
