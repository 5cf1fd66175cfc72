"""Music that is there already: ``render``, ``check``, ``match``."""

from pathlib import Path
from typing import Annotated

import typer

from emsync.cli.app import app
from emsync.cli.common import (
    Json,
    Lufs,
    SoundFont,
    VideoPath,
    exit_code,
    plain_line,
    print_report,
    progress,
    standard_output,
)
from emsync.options import LUFS, METRIC


@app.command()
def render(
    score: Annotated[Path, typer.Argument(metavar="SCORE", help="a MIDI file")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="the sound: .wav, .flac, .mp3, .ogg, .opus, .m4a")
    ],
    duration: Annotated[
        float | None, typer.Option(help="seconds", show_default="the score's, and 2 s to ring")
    ] = None,
    fade: Annotated[float, typer.Option(help="seconds of fade-out at the end")] = 0.0,
    soundfont: SoundFont = None,
    lufs: Lufs = LUFS,
    as_json: Json = False,
) -> None:
    """Play SCORE into a file of sound."""
    from emsync.sound import synthesis

    (target,) = standard_output(as_json, out)
    out = target or out
    with progress() as show:
        show("Playing", 0.0)
        sound = synthesis.render(
            score, out, duration=duration, fade=fade, soundfont=soundfont, lufs=lufs
        )
    report = {
        "audio": str(out),
        "duration": sound.duration if duration is None else duration,
        "synthesizer": synthesis.synthesizer_name(),
        "loudness": sound.loudness.to_json(),
    }
    words = (
        f"{report['audio']}: {report['duration']:.2f} s, {report['synthesizer']}, {sound.loudness}"
    )
    print_report(report, as_json, words)


@app.command()
def check(
    score: Annotated[Path, typer.Argument(metavar="SCORE", help="a MIDI file")],
    as_json: Json = False,
) -> int:
    """Say in plain words what would trouble a musician who opens SCORE; exit 1 if it is broken."""
    from emsync.formats import midi_check

    report = midi_check.check(score)
    verdict = "keeps the contract" if report.ok else "breaks the contract"
    lines = [f"{score}: {verdict}", *(f"  error: {text}" for text in report.errors)]
    lines += [f"  remark: {text}" for text in report.warnings]
    print_report(report.to_json(), as_json, "\n".join(lines))
    return 0 if report.ok else 1


@app.command()
def match(
    video: VideoPath,
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="a folder of music")],
    metric: Annotated[
        str,
        typer.Option(
            metavar="NAME[:CHECKPOINT]",
            help="by rhythm: cm (onsets), dm (beats); by networks: vm-net, of-vm-net, cbvmr, "
            "cmvae, ut-cmvmr; or another of `emsync plugins`",
        ),
    ] = METRIC,
    top: Annotated[int, typer.Option(min=1, help="tell so many tracks")] = 10,
    index: Annotated[
        Path | None, typer.Option(help="keep what is heard in this folder, for the next time")
    ] = None,
    video_out: Annotated[
        Path | None, typer.Option("--video", help="the video with the best track")
    ] = None,
    lufs: Lufs = LUFS,
    as_json: Json = False,
) -> int:
    """Rank the music in LIBRARY by how well it meets VIDEO."""
    from emsync.matching.match import match as run
    from emsync.matching.matcher import SILENT

    standard_output(as_json, folders=[index])
    (video_out,) = standard_output(as_json, video_out)
    with progress() as show:
        found = run(
            video, library, metric=metric, top=top, index=index, out=video_out, lufs=lufs,
            progress=show,
        )  # fmt: skip
    lines = [
        f"{'silent' if m.score <= SILENT else format(m.score, '.4f'):>10}  from {m.offset:8.2f} s"
        f"  {plain_line(str(m.path))}"
        for m in found.matches
    ]
    lines += [f"{video_out}: {found.loudness}"] if video_out else []
    report = found.to_json()
    print_report(report, as_json, "\n".join(lines))
    return exit_code(report["skipped"])
