"""One film of a batch: composed for where it is not yet, and told of in a row.

Once its outputs are there, a record appears beside them: the row, and a key that tells what they
were made of. Whoever finds it needs not make them again, whatever became of who made them.
"""

import hashlib
import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from emsync.checkpoints import digest_of, find_checkpoint
from emsync.emotion.estimator import paths_of
from emsync.errors import AssetError, EmsyncError, UsageError, noted
from emsync.files import atomic_write
from emsync.limits import check_file, quoted, read_bytes, read_json, shown
from emsync.makers import Maker
from emsync.options import Options, Outputs
from emsync.outputs import check_outputs, files_read, write_outputs
from emsync.pipeline import generate, opened
from emsync.plain import plain
from emsync.plugins import versions
from emsync.report.bundle import fingerprint
from emsync.video.film import open_film

Row: TypeAlias = dict[str, Any]  # what is told of a film: plain values for JSON

MOST_FILE = 2**31  # bytes of a file that is wished for


@dataclass(frozen=True)
class Job:
    """A film, what is wished of its music, and where that goes."""

    film: Path
    options: Options
    outputs: Outputs
    record: Path
    checkpoint: str
    digest: str  # of the checkpoint, as who asks has it
    device: str
    installed: str  # versions, where it is asked for; another machine may have others


def do(job: Job) -> Row:
    """Return the row of a film, which is composed for unless it has been; what fails is in it."""
    try:
        if job.installed != (here := versions()):
            raise UsageError(
                f"{here} is installed where {quoted(job.film)} was to be composed for, not "
                f"{job.installed}; install the same everywhere"
            )
        return kept(job) or _composed(job)
    except EmsyncError as error:
        return failed(job, str(error), error.exit_code)
    except MemoryError:
        return failed(job, "there was not enough memory for it; take fewer --workers")
    except OSError as error:
        where = f": {quoted(error.filename)}" if error.filename else ""
        return failed(job, f"{error.strerror or error}{where}")
    except Exception as error:  # a fault of ours must not cost the other films
        traceback.print_exc()
        return failed(job, f"a fault in emsync: {type(error).__name__}: {error}")


def failed(job: Job, reason: str, code: int = EmsyncError.exit_code) -> Row:
    """Return the row of a film that could not be composed for."""
    return {"film": str(job.film), "status": "failed", "error": reason, "code": code}


def kept(job: Job) -> Row | None:
    """Return the row of a film whose outputs are there, made of the same; None of another."""
    try:
        record = read_json(job.record)
        files = [path for path in record["files"].values() if path is not None]
        if record["key"] != _key(job) or not all(Path(path).exists() for path in files):
            return None
    except (OSError, EmsyncError, LookupError, TypeError, AttributeError):
        return None  # whoever makes them says what is wrong
    return {**{name: record[name] for name in record if name != "key"}, "status": "kept"}


def _composed(job: Job) -> Row:
    """Compose for a film and write the outputs with their record."""
    began = time.perf_counter()
    key = _key(job)
    with noted() as notes:
        film = open_film(job.film)
        check_outputs(job.outputs, film)
        maker = _opened(job.checkpoint, job.digest, job.device)
        made = replace(generate(film, job.options, checkpoint=maker), checkpoint=job.checkpoint)
        job.record.unlink(missing_ok=True)  # it vouches for other outputs
        write_outputs(made, job.outputs)
        row = plain({
            "film": str(job.film),
            "status": "composed",
            "files": _files(job.outputs),
            "seed": job.options.seed,
            "duration": made.analysis.duration,
            "cuts": len(made.cuts),
            "hits": len(made.best.hits),
            "score": made.best.score,
            "notes": notes,
            "seconds": round(time.perf_counter() - began, 3),
        })  # fmt: skip
    with atomic_write(job.record) as partial:
        text = json.dumps({"key": key, **row}, indent=1, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
    return row


@lru_cache(maxsize=1)
def _opened(checkpoint: str, digest: str, device: str) -> Maker:
    """Return the maker of a checkpoint, which has to be the one that is asked for."""
    if digest_of(find_checkpoint(checkpoint), whole=True) != digest:
        raise AssetError(
            f"the checkpoint {shown(checkpoint)} is another here than where it was asked for; have "
            "the same everywhere, and run the same command again"
        )
    return opened(checkpoint, device)[0]


def _files(outputs: Outputs) -> Mapping[str, str | None]:
    kinds = ("score", "video", "audio", "bundle")
    return {kind: path and str(path) for kind in kinds for path in [getattr(outputs, kind)]}


def _key(job: Job) -> str:
    """Return a digest of all that the outputs of a film are made of; InputError of what is not."""
    read = {**files_read(job.options)}
    if job.outputs.soundfont:
        read["the sound font"] = job.outputs.soundfont
    check_file(job.film)
    facts = {
        "installed": job.installed,
        "film": fingerprint(job.film),
        "options": job.options.to_json() | job.options.sampling,
        "files": {what: _digest(path) for what, path in read.items()},
        "estimator": [_facts(path) for path in paths_of(job.options.estimator)],
        "outputs": {name: str(value) for name, value in asdict(job.outputs).items()},
        "checkpoint": job.digest,
        "device": job.device,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    check_file(path)
    return hashlib.sha256(read_bytes(path, MOST_FILE)).hexdigest()


def _facts(path: Path) -> list[tuple[str, int, int]]:
    """Return the name, size and time of change of a file, or of the files below a folder."""
    found = [path, *sorted(path.rglob("*"))]
    facts = [(one, one.stat()) for one in found if one.is_file()]
    return [(str(one.relative_to(path)), now.st_size, now.st_mtime_ns) for one, now in facts]
