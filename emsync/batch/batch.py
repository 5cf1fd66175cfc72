"""Compose for many films: ``emsync batch``. What is there is kept, and one report tells of all.

films → jobs → those not done → processes, or machines → rows → batch.json
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import emsync
from emsync import cluster
from emsync.batch.films import Listed, anchored, films_of
from emsync.batch.job import Job, Row, do, failed, kept
from emsync.brief import check_files
from emsync.checkpoints import (
    checkpoint_names,
    digest_of,
    files_of_checkpoint,
    find_checkpoint,
)
from emsync.errors import EmsyncError, UsageError
from emsync.files import atomic_write
from emsync.limits import check_file, quoted, shown
from emsync.locks import locked
from emsync.makers import Maker, Makes, check_wishes
from emsync.options import CHECKPOINT, LUFS, KeepAudio, Options, Outputs
from emsync.outputs import check_makes, files_read
from emsync.pipeline import opened, style_of
from emsync.plugins import versions
from emsync.processes import Died, cores, spread
from emsync.progress import Progress, silent
from emsync.sound.encode import KINDS
from emsync.sound.synthesis import check_soundfont
from emsync.targets import check_apart, check_target, make_folder
from emsync.video.film import FORMATS

REPORT: Final = "batch.json"
DIED: Final = (
    "process after process that composed for it has died, perhaps for want of memory; take fewer "
    "--workers, or leave it out"
)
SUFFIXES: Final = {
    ".mid": "score", **dict.fromkeys(FORMATS, "video"), **dict.fromkeys(KINDS, "audio")
}  # fmt: skip


@dataclass(frozen=True)
class Saved:
    """What is written of each film, and how it sounds; see ``Outputs``."""

    kinds: Sequence[str] = ()  # "mid", "bundle", or a suffix of film or sound; () by the checkpoint
    keep_audio: KeepAudio = "replace"
    soundfont: Path | None = None
    lufs: float = LUFS


def batch(
    source: Path,
    out: Path,
    options: Options = Options(),
    saved: Saved = Saved(),
    *,
    checkpoint: str = CHECKPOINT,
    device: str = "auto",
    workers: int | None = None,
    address: str | None = None,
    progress: Progress = silent,
    on_film: Callable[[Row, int], None] | None = None,
) -> dict[str, Any]:
    """Compose for the films of ``source``, see ``films_of``, into the folder ``out``.

    Returns the report, which ``batch.json`` has, too. A film whose outputs are there, made of the
    same, is kept as it is; one that fails is told of in its row, and costs the others nothing.
    ``workers`` processes of this machine do it, or the workers of the Dask scheduler at
    ``address``. ``on_film`` is given each row as soon as it is known, and how many there will be.
    Raises UsageError and its kin for what can be known before.
    """
    began = time.perf_counter()
    if workers is not None and address is not None:
        raise UsageError("--workers are of this machine, --cluster has its own; leave one out")
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; choose 1 or more")
    if address is not None and not address.strip():
        raise UsageError("--cluster has no address; name that of a Dask scheduler")
    out = Path(os.path.normpath(out.absolute()))
    maker, _ = opened(checkpoint, device if address is None else "cpu")
    if checkpoint not in checkpoint_names() and Path(checkpoint).is_dir():
        checkpoint = str(Path(checkpoint).absolute())  # workers may be in other folders
    if saved.soundfont is not None:
        saved = replace(saved, soundfont=saved.soundfont.absolute())
    jobs = _jobs(source, out, options, saved, maker, checkpoint, device, progress)
    rows: dict[int, Row] = {}

    def note(place: int, row: Row) -> None:
        rows[place] = row
        progress("Composing", len(rows) / len(jobs))
        if on_film is not None:
            on_film(row, len(jobs))

    make_folder(out)
    with locked(out, "composing for films into"):
        check_target(out / REPORT)
        for folder in {job.record.parent for job in jobs}:
            make_folder(folder)
        progress("Composing", 0.0)
        for place, job in enumerate(jobs):
            if (row := kept(job)) is not None:
                note(place, row)
        left = [place for place in range(len(jobs)) if place not in rows]
        todo = [jobs[place] for place in left]
        if todo and address is None:
            maker.make_ready(progress)  # once, or all processes would compile the same
        with closing(
            cluster.spread(do, todo, address)
            if address
            else spread(do, todo, workers or cores(), name=lambda job: quoted(job.film))
        ) as found:
            for place, result in found:
                row = failed(todo[place], DIED) if isinstance(result, Died) else result
                note(left[place], row)
        report = {
            "version": emsync.__version__,
            "checkpoint": checkpoint,
            "settings": options.to_json() | options.sampling,
            **_counted([rows[place] for place in range(len(jobs))]),
            "seconds": round(time.perf_counter() - began, 3),
        }
        with atomic_write(out / REPORT) as partial:
            partial.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")
    return report


def _counted(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many films have which status, how many cuts are hit, and all rows."""
    statuses = [row["status"] for row in rows]
    counts = {status: statuses.count(status) for status in ("composed", "kept", "failed")}
    sums = {name: sum(row.get(name, 0) for row in rows) for name in ("cuts", "hits")}
    return {**counts, **sums, "films": list(rows)}


def _jobs(
    source: Path,
    out: Path,
    options: Options,
    saved: Saved,
    maker: Maker,
    checkpoint: str,
    device: str,
    progress: Progress,
) -> list[Job]:
    """Return what is to be done; UsageError and its kin where something of it cannot be."""
    listed = films_of(source, out)
    has_films = any(kind == "bundle" or f".{kind}" in FORMATS for kind in saved.kinds)
    if has_films and source.is_dir() and out.resolve() == source.resolve():
        raise UsageError(
            f"films that are written into {quoted(out)} would be taken for its films by the next "
            "run; choose another folder for them"
        )
    if saved.soundfont is not None:
        check_soundfont(saved.soundfont)
    everywhere = anchored(options, Path.cwd())
    digest, installed = digest_of(find_checkpoint(checkpoint), whole=True), versions()
    for path in files_read(everywhere).values():
        check_file(path)
    check_files(None, everywhere)
    check_wishes(maker, checkpoint, everywhere)
    style_of(maker, everywhere)
    jobs = []
    for place, one in enumerate(listed):
        progress("Checking", place / len(listed))
        wished = _wished(one, everywhere, maker, checkpoint) if one.wishes else everywhere
        base = out / one.name
        outputs = replace(_outputs(base, saved, maker.makes), audio_stream=wished.audio_stream)
        check_makes(maker.makes, checkpoint, outputs)
        record = base.with_name(f"{base.name}.film.json")
        jobs.append(Job(one.film, wished, outputs, record, checkpoint, digest, device, installed))
    written = [path for job in jobs for path in (*_files(job.outputs), job.record)]
    read = [path for job in jobs for path in files_read(job.options).values()]
    check_apart(
        [out / REPORT, *written],
        {
            "a film": [job.film for job in jobs],
            "the list": source,
            "a file that is wished for": read,
            "the checkpoint": files_of_checkpoint(checkpoint),
            "the sound font": saved.soundfont or (),
        },
    )
    return jobs


def _wished(one: Listed, everywhere: Options, maker: Maker, checkpoint: str) -> Options:
    """Return what is wished of a film, of it alone and of all; what cannot be names the film."""
    try:
        wished = replace(everywhere, **one.wishes)
        check_files(None, wished)
        check_wishes(maker, checkpoint, wished)
    except EmsyncError as error:
        raise type(error)(f"{quoted(one.film)}: {error}") from error
    return wished


def _outputs(base: Path, saved: Saved, makes: Makes) -> Outputs:
    """Return the files of a film, named after ``base``; UsageError where one cannot be."""
    files: dict[str, Any] = {}
    for kind in saved.kinds or (["mid"] if makes == "score" else ["wav"]):
        what = "bundle" if kind == "bundle" else SUFFIXES.get(f".{kind}")
        if what is None:
            known = ", ".join(suffix[1:] for suffix in SUFFIXES)
            raise UsageError(f"cannot save {shown(kind)}; choose of bundle, {known}")
        if what in files:
            raise UsageError(f"each film has one {what}; save {shown(kind)} or the other")
        if makes == "sound" and what in ("score", "bundle"):
            raise UsageError(f"this checkpoint makes sound, not a score; save wav, not {kind}")
        files[what] = base.with_name(base.name + ("-score" if kind == "bundle" else f".{kind}"))
    return Outputs(**files, keep_audio=saved.keep_audio, soundfont=saved.soundfont, lufs=saved.lufs)


def _files(outputs: Outputs) -> list[Path]:
    return [path for path in (outputs.score, outputs.video, outputs.audio, outputs.bundle) if path]
