"""Measures of a model and of its music: ``emsync evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from emsync.cli.app import evaluate_app
from emsync.cli.common import (
    Checkpoint,
    Json,
    VideoPath,
    exit_code,
    print_report,
    progress,
    standard_output,
)
from emsync.errors import UsageError
from emsync.options import CHECKPOINT


@evaluate_app.command()
def likelihood(
    corpus: Annotated[Path, typer.Argument(metavar="LPD_DIR", help="songs in .npz or MIDI")],
    checkpoint: Checkpoint = CHECKPOINT,
    limit: Annotated[int | None, typer.Option(min=1, help="measure so many songs")] = None,
    tell: Annotated[
        bool, typer.Option("--told", help="and what each condition gives, and given music")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure the nats per token of songs that the model was not trained on."""
    from emsync.checkpoints import find_checkpoint
    from emsync.evaluation import told
    from emsync.evaluation.likelihood import evaluate, untrained
    from emsync.evaluation.tables import told_table
    from emsync.model.composer import Composer

    songs = untrained([corpus], find_checkpoint(checkpoint), limit)
    composer = Composer.from_pretrained(checkpoint)
    with progress() as show:
        gained = told.evaluate(composer, songs, show) if tell else None
        report = evaluate(composer, songs, progress=show)
    words = (
        f"{report['nats_per_token']:.3f} nats a token, "
        f"{report['bits_per_second']:.1f} bits a second"
    )
    lines = [f"{words}, on {report['songs']} songs, {report['tokens']} tokens"]
    if gained is not None:
        report["told"] = gained
        lines += ["", *told_table(gained)]
    print_report(report, as_json, "\n".join(lines))


@evaluate_app.command()
def sync(
    video: VideoPath,
    music: Annotated[Path, typer.Argument(metavar="MUSIC", help="audio, a film, or MIDI")],
    reference: Annotated[Path | None, typer.Option(help="the music VIDEO came with")] = None,
    tagger: Annotated[
        Path | None, typer.Option(help="a music tagger (.onnx, or TorchScript: it runs code)")
    ] = None,
    tagger_rate: Annotated[int, typer.Option(help="samples a second it listens at")] = 16000,
    synchrony: Annotated[
        str | None,
        typer.Option(help="towers for SIM: a folder or a name", show_default="those shipped"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how MUSIC goes with the pictures of VIDEO."""
    from emsync.evaluation.sync import evaluate
    from emsync.evaluation.tables import sync_table

    with progress() as show:
        report = evaluate(video, music, reference, tagger, tagger_rate, synchrony, show)
    print_report(report, as_json, "\n".join(sync_table(report)))


@evaluate_app.command()
def quality(
    scores: Annotated[list[Path], typer.Argument(metavar="SCORES...", help="MIDI, or folders")],
    reference: Annotated[Path, typer.Option(help="a folder of real songs, .npz or MIDI")],
    limit: Annotated[int, typer.Option(min=2, help="songs to compare with")] = 100,
    as_json: Json = False,
) -> int:
    """Compare SCORES with real songs: melody, harmony, bass, form and more."""
    from emsync.evaluation.quality import evaluate
    from emsync.evaluation.tables import quality_tables

    with progress() as show:
        report = evaluate(scores, reference, limit, show)
    head = f"{report['scores']} scores, {report['songs']} songs of {report['seconds']:.0f} s"
    print_report(report, as_json, "\n".join([head, *quality_tables(report)]))
    return exit_code(report["failed"])


@evaluate_app.command()
def control(
    checkpoint: Checkpoint = CHECKPOINT,
    pieces: Annotated[int, typer.Option(help="to draw for each condition")] = 36,
    seconds: Annotated[float, typer.Option(help="of each piece")] = 12.0,
    as_json: Json = False,
) -> None:
    """Ask a model for random conditions, and measure whether its music meets them."""
    from emsync.evaluation.control import evaluate
    from emsync.evaluation.tables import control_table

    with progress() as show:
        report = evaluate(checkpoint, pieces, seconds, show)
    print_report(report, as_json, "\n".join(control_table(report)))


@evaluate_app.command()
def plan(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of films")],
    seeds: Annotated[int, typer.Option(min=1, help="pieces for each film")] = 1,
    candidates: Annotated[int, typer.Option(min=1, help="to choose each piece from")] = 2,
    arms: Annotated[
        str, typer.Option(help='some of the ways to compose, such as "planned,rules off"; else all')
    ] = "",
    checkpoint: Checkpoint = CHECKPOINT,
    as_json: Json = False,
) -> int:
    """Compose for all films in DIR, and measure whether the music does what its plan says."""
    from emsync.evaluation.planned import evaluate
    from emsync.evaluation.tables import plan_table

    with progress() as show:
        names = [name.strip() for name in arms.split(",") if name.strip()]
        report = evaluate(folder, checkpoint, seeds, candidates, show, names)
    print_report(report, as_json, plan_table(report))
    return exit_code(report["failed"])


@evaluate_app.command()
def retrieval(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="made by `emsync pairs`")],
    checkpoint: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|FOLDER",
            help="a shipped system's name or a folder; again for each further one",
        ),
    ] = ["of-vm-net"],  # noqa: B006
    gallery: Annotated[
        int | None, typer.Option(help="other songs to find it among", show_default="all, or 1000")
    ] = None,
    style: Annotated[
        str,
        typer.Option(help="films of some styles alone, such as shapes,plates", show_default="all"),
    ] = "",
    seconds: Annotated[int, typer.Option(min=1, help="leave out shorter films")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="of the galleries")] = 0,
    as_json: Json = False,
) -> None:
    """Measure how well the music of held-out films is found among that of others."""
    from emsync.evaluation.retrieval import evaluate
    from emsync.evaluation.tables import retrieval_table

    with progress() as show:
        styles = [name.strip() for name in style.split(",") if name.strip()]
        report = evaluate(store, checkpoint, gallery, styles, seconds, seed, show)
    print_report(report, as_json, "\n".join(retrieval_table(report)))


@evaluate_app.command()
def sound(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="sound, films or MIDI")],
    reference: Annotated[
        Path, typer.Option(help="a folder of real music: sound, films, MIDI or .npz")
    ],
    tagger: Annotated[
        str, typer.Option(help='that listens: msd or mtt, or both, "msd,mtt"')
    ] = "msd",
    limit: Annotated[int, typer.Option(min=2, help="files to compare with")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn of longer music")] = 0,
    as_json: Json = False,
) -> int:
    """Compare music with real music as sound; scores are played."""
    from emsync.evaluation.sound import evaluate
    from emsync.evaluation.tables import sound_table

    with progress() as show:
        taggers = [name.strip() for name in tagger.split(",") if name.strip()]
        report = evaluate(folder, reference, taggers, limit, seed, show)
    print_report(report, as_json, "\n".join(sound_table(report)))
    return exit_code(report["failed"])


@evaluate_app.command()
def suite(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of films")],
    seeds: Annotated[int, typer.Option(min=1, help="pieces for each film and condition")] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="a folder for suite.md, suite.json and the scores"),
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
    """Compose for all films in DIR, conditioned on their cuts and not, fitted and not."""
    standard_output(as_json, folders=[out])
    from emsync.evaluation.suite import evaluate
    from emsync.evaluation.tables import soundtracks_table, suite_table
    from emsync.makers import SoundMaker, maker_of

    kind, place = maker_of(checkpoint)
    if issubclass(kind, SoundMaker):
        from emsync.evaluation import soundtracks

        if reference is not None or control_pieces:
            raise UsageError(
                f"{checkpoint!r} makes sound, and --reference and --control judge scores; leave "
                "them out, or compare its sound by `emsync evaluate sound`"
            )
        with progress() as show:
            maker = kind.open(place, "auto")
            report = soundtracks.evaluate(folder, maker, checkpoint, seeds, out, show)
        page = str(out / "suite.md") if out else soundtracks_table(report)
        print_report(report, as_json, page)
        return exit_code(report["failed"])
    with progress() as show:
        report = evaluate(folder, checkpoint, seeds, out, reference, control_pieces, show)
    print_report(report, as_json, str(out / "suite.md") if out else suite_table(report))
    return exit_code(report["failed"])
