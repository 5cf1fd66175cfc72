"""The studio itself: its films, and what pages and the worker do to them, one thing at a time."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from emsync.analysis import Analysis
from emsync.errors import EmsyncError, InputError, UsageError, noted, warn
from emsync.json_fields import FieldError, real
from emsync.limits import quoted, shown
from emsync.options import MOST_SEED
from emsync.span import read_span
from emsync.studio import document as documents
from emsync.studio.document import COMPARED, MOST_CANDIDATES, Document, Edit, Wishes, outputs_of
from emsync.studio.jobs import Job, Jobs
from emsync.studio.mending import mend
from emsync.studio.projects import Project, load_all, open_home
from emsync.studio.takes import summary, take_json
from emsync.video.film import FORMATS

BLOCK = 2**20  # bytes of a film that are written at once
DRAFTS = 3  # of a span that is composed anew, where nothing else is said
MIXED = (*(f"film{suffix}" for suffix in FORMATS), "bundle.zip")  # with the film's own sound
FILES = ("score.musicxml", "mix.wav", "stems.zip", *MIXED)  # made when they are asked for
SLOW = 3  # times as long as a film that work at it may take


class MissingError(EmsyncError):
    """What is asked for is not there."""


class TooMuchError(EmsyncError):
    """More than a limit allows."""


class FullError(EmsyncError):
    """The disk has no room."""


class ConflictError(EmsyncError):
    """The document was changed by another page meanwhile."""

    def __init__(self, sentence: str, facts: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.facts = dict(facts)


@dataclass(frozen=True)
class Limits:
    """How much the studio takes on."""

    upload: int = 2 * 2**30  # bytes of a film
    seconds: float = 20 * 60  # of film
    free: int = 2 * 2**30  # bytes that stay free on the disk
    stalled: float = 60.0  # seconds in which nothing of a film arrives

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {**asdict(self), "candidates": MOST_CANDIDATES}


def _poster(project: Project) -> str | None:
    """Return the address of a picture that stands for a film; the first is often black."""
    count = len(project.record.strip)
    return f"/api/films/{project.id}/strip/{count // 3}" if count else None


class Studio:
    """All films in ``home``. What changes a film holds the lock, and is done one at a time."""

    def __init__(self, home: Path, limits: Limits = Limits(), jobs: Jobs | None = None) -> None:
        self.home, self.limits = open_home(home), limits
        self.notes: list[str] = []  # of the start, for the page
        with self._noted():
            self.projects = load_all(home)
        self.jobs = jobs or Jobs()
        self.jobs.on_answer, self.jobs.on_end = self._answered, self._ended
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Begin to work; films that were being watched when the studio ended are watched again."""
        self.jobs.start()
        for project in self.projects.values():
            if self.jobs.of(project.id):  # a film that was named when the studio was started
                continue
            await asyncio.to_thread(self._tidy, project)
            if project.record.state == "watching":
                project.record = replace(project.record, strip=())
                self._watch(project)
            elif project.record.state == "ready" and not project.record.picture:
                self._copy(project)

    def _tidy(self, project: Project) -> None:
        """Clear away what is half written of a film, and mend what can be mended."""
        with self._noted():
            try:
                project.sweep()
                mend(project)
            except (EmsyncError, OSError) as error:
                warn(f"{shown(project.record.name)} could not be looked after: {error}")

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep the warnings of the block for the page."""
        with noted() as notes:
            yield
        self.notes += notes
        for note in notes:
            warn(note)

    async def stop(self) -> None:
        """End all work; what is interrupted is done again by the next start, or left undone."""
        await self.jobs.stop()

    # --- looking ---

    def project(self, id_: str) -> Project:
        """Return a film; MissingError where there is none of this id."""
        if id_ not in self.projects:
            raise MissingError("there is no such film in the studio; it may have been deleted")
        return self.projects[id_]

    def films(self) -> list[dict[str, Any]]:
        """Return the films, newest first."""
        newest = sorted(self.projects.values(), key=lambda p: -p.record.created)
        return [
            {
                "id": p.id, "name": p.record.name, "state": p.record.state,
                "reason": p.record.reason, "created": p.record.created,
                "duration": p.record.facts.get("duration"), "bytes": p.bytes(),
                "takes": len(p.takes()),
                "picture": _poster(p),
            }
            for p in newest
        ]  # fmt: skip

    def film(self, id_: str) -> dict[str, Any]:
        """Return all of a film but its takes' notes."""
        project = self.project(id_)
        try:
            return self._film(project)
        except (InputError, OSError):
            self.project(id_)  # which may have been deleted meanwhile
            raise

    def _film(self, project: Project) -> dict[str, Any]:
        id_, record = project.id, project.record
        ready = record.state == "ready"
        takes, notes = _summaries(project)
        return {
            "film": {
                "id": id_, "name": record.name, "state": record.state, "reason": record.reason,
                "created": record.created, "bytes": project.bytes(), **record.facts,
                "picture": f"/api/films/{id_}/picture" if record.picture else None,
            },
            "strip": [_picture(project, number) for number in range(len(record.strip))],
            "seen": project.seen() if ready else None,
            "document": self._document(project) if ready else None,
            "takes": takes,
            "notes": notes,
            "jobs": [job.to_json() for job in self.jobs.of(id_)],
        }  # fmt: skip

    def job(self, id_: str) -> Job:
        """Return a job; MissingError where there is none of this id."""
        try:
            return self.jobs.get(id_)
        except KeyError as error:
            raise MissingError("there is no such job; it may have ended long ago") from error

    def take_folder(self, id_: str) -> tuple[Project, Path]:
        """Return the film and the folder of a take; MissingError where there is none."""
        for project in [*self.projects.values()]:  # which may come and go meanwhile
            if project.has(id_):
                return project, project.take(id_)
        raise MissingError("there is no such piece; it may have been deleted")

    def take(self, id_: str) -> dict[str, Any]:
        """Return a take whole."""
        project, folder = self.take_folder(id_)
        try:
            return take_json(folder, project.id)
        except (InputError, OSError):
            self.take_folder(id_)  # which may have been deleted meanwhile
            raise

    # --- films ---

    async def add(self, name: str, pieces: AsyncIterator[bytes], size: int | None = None) -> str:
        """Take in a film of ``size`` bytes, if that is known; return its id."""
        self._check_room(size or 0)
        async with self._arriving(name) as project:
            await self._fill(project.film, pieces)
            written = project.film.stat().st_size
            if size is not None and written < size:
                raise InputError(f"only {written} of {size} bytes of {quoted(name)} arrived")
            if not written:
                raise InputError(f"{quoted(name)} is empty; choose a video")
        return project.id

    @asynccontextmanager
    async def _arriving(self, name: str, drawn: bool = False) -> AsyncIterator[Project]:
        """Yield a film to be filled; it counts where the block ends well, else it is removed."""
        project = Project.create(self.home, name, drawn)
        try:
            yield project
            await asyncio.to_thread(project.enter)
        except BaseException:
            project.delete()
            raise
        self.projects[project.id] = project
        self._watch(project)

    async def _fill(self, path: Path, pieces: AsyncIterator[bytes]) -> None:
        """Write the pieces of a film as they arrive."""
        written, block = 0, bytearray()
        with path.open("xb") as file:
            while (piece := await self._next(pieces)) is not None:
                written += len(piece)
                block += piece
                if written > self.limits.upload:
                    self._check_room(written)
                if len(block) >= BLOCK:
                    await asyncio.to_thread(file.write, block)
                    block = bytearray()
                    self._check_room(0)
            await asyncio.to_thread(file.write, block)

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        """Return the next piece of a film, None at its end; InputError where none comes."""
        try:
            async with asyncio.timeout(self.limits.stalled):
                return await anext(pieces, None)
        except TimeoutError as error:
            raise InputError(
                f"nothing of the film has arrived for {self.limits.stalled:g} s; drop it once more"
            ) from error

    async def add_copy(self, path: Path) -> str:
        """Take in a film that lies on this machine; return the id of it or of an earlier copy."""
        from emsync.report.bundle import fingerprint

        size, print_ = path.stat().st_size, fingerprint(path)
        for project in self.projects.values():
            film = project.film
            if film.is_file() and film.stat().st_size == size and fingerprint(film) == print_:
                return project.id
        self._check_room(size)
        async with self._arriving(path.name) as project:
            await asyncio.to_thread(shutil.copyfile, path, project.film)
        return project.id

    async def add_demo(self) -> str:
        """Take in the clip that ``emsync demo`` draws."""
        self._check_room(0)
        async with self._arriving("demo.mp4", drawn=True) as project:
            return project.id

    async def delete(self, id_: str) -> None:
        """Remove a film with all that was made for it."""
        await self.jobs.cancel_all(self.project(id_).id)
        async with self._lock:
            project = self.project(id_)
            await asyncio.to_thread(project.leave)
            del self.projects[id_]
            await asyncio.to_thread(project.delete)

    async def delete_take(self, id_: str) -> None:
        """Remove a take."""
        async with self._lock:
            project, _ = self.take_folder(id_)
            await asyncio.to_thread(project.delete_take, id_)

    def _watch(self, project: Project) -> None:
        record = project.record
        task = {"folder": str(project.folder), "film": record.film, "name": record.name,
                "seconds": self.limits.seconds,
                "draw": record.drawn and not project.film.exists()}  # fmt: skip
        self.jobs.submit(project.id, "watch", task)

    def _copy(self, project: Project) -> None:
        """Have a copy made of a film that browsers do not play."""
        task = {"folder": str(project.folder), "film": project.record.film}
        self._allow(self.jobs.submit(project.id, "proxy", task), project)

    def _allow(self, job: Job, project: Project, pieces: int = 0) -> None:
        """Let a job take the longer, the longer the film is, and the more pieces are composed."""
        self.jobs.allow(job.id, max(SLOW, pieces) * project.record.facts.get("duration", 0.0))

    def _check_room(self, size: int) -> None:
        """Refuse a film that is too large, or for which the disk is too full."""
        if size > self.limits.upload:
            raise TooMuchError(
                f"the film has {_size(size)} or more, and {_size(self.limits.upload)} "
                "are the most; make a smaller copy of it"
            )
        free = shutil.disk_usage(self.home).free
        if free - size < self.limits.free:
            raise FullError(
                f"the disk with {quoted(self.home)} has {_size(free)} free, of which "
                f"{_size(self.limits.free)} stay so; make room, or delete a film"
            )

    # --- the document ---

    async def edit(self, id_: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take in an edit of the present version; return the document after it."""

        def act(before: Document) -> tuple[Document, str]:
            edit = Edit.from_json(data)
            if edit.take and edit.take not in self.project(id_).takes():
                raise MissingError(f"the film has no piece {shown(edit.take)}")
            return documents.edited(before, edit), edit.what

        return await self._change(id_, data, act)

    async def plan_anew(self, id_: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Make the plan of the film again; return the document after it."""
        return await self._change(
            id_, data, lambda document: (documents.anew(document), "plan made anew")
        )

    async def _change(
        self, id_: str, data: Mapping[str, Any], act: Callable[[Document], tuple[Document, str]]
    ) -> dict[str, Any]:
        def change() -> dict[str, Any]:
            with noted() as notes:
                before = project.document()
                after, what = act(before)
            if after.to_json() != before.to_json():
                project.put(after, what)
                _mix_anew(project, before.wishes, after.wishes)
            return {"document": self._document(project), "notes": notes}

        async with self._lock:
            project = self._at(id_, data)
            return await asyncio.to_thread(change)

    async def step(self, id_: str, data: Mapping[str, Any], step: int) -> dict[str, Any]:
        """Go back a version, or forward; return the document then."""
        async with self._lock:
            project = self._at(id_, data)
            if (number := project.beside(step)) is None:
                which = "undo" if step < 0 else "redo"
                raise UsageError(f"there is nothing to {which}")
            return await self._gone(project, number)

    async def go(self, id_: str, data: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Go to a version; return its document."""
        async with self._lock:
            return await self._gone(self._at(id_, data), number)

    async def _gone(self, project: Project, number: int) -> dict[str, Any]:
        def go() -> dict[str, Any]:
            before = project.document_json()["wishes"]
            project.go(number)
            _mix_anew(project, before, project.document_json()["wishes"])
            return {"document": self._document(project), "notes": []}

        try:
            return await asyncio.to_thread(go)
        except KeyError as error:
            raise MissingError(f"there is no version {number} any more") from error

    def _ready(self, id_: str) -> Project:
        project = self.project(id_)
        if project.record.state == "failed":
            raise UsageError(f"the film could not be watched: {project.record.reason}")
        if project.record.state != "ready":
            raise UsageError("the film is still being watched; wait until it is")
        return project

    def _at(self, id_: str, data: Mapping[str, Any]) -> Project:
        """Return a film whose present version is the one that a page has seen."""
        project, version = self._ready(id_), data.get("version")
        if isinstance(version, bool) or not isinstance(version, int):
            raise UsageError(f"the version is {shown(version)}; name the one that is changed")
        if version != project.record.at:
            raise ConflictError(
                "this film was changed in another window; here is how it is now",
                {"document": self._document(project)},
            )
        return project

    def _document(self, project: Project) -> dict[str, Any]:
        record, data = project.record, project.document_json()
        return {
            "version": record.at,
            "what": next((v.what for v in record.versions if v.number == record.at), ""),
            "can_undo": project.beside(-1) is not None,
            "can_redo": project.beside(1) is not None,
            "versions": [asdict(v) for v in record.versions],
            **data,
            "places": documents.places(Document.from_json(data)),
        }

    # --- jobs ---

    async def submit(self, id_: str, wanted: Mapping[str, Any]) -> Job:
        """Put work for a film into the queue."""
        async with self._lock:
            project = self._ready(id_)
            self.jobs.check_room()
            task = await asyncio.to_thread(self._task, project, wanted)
            job = self.jobs.submit(id_, wanted["kind"], task)
            self._allow(job, project, task.get("recipe", {}).get("candidates", 0))
            return job

    def _task(self, project: Project, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the worker has to know of the work that is wanted."""
        kind, document = wanted.get("kind"), project.document_json()
        self._check_room(0)
        task = {"folder": str(project.folder), "film": project.record.film}
        if kind == "compose":
            candidates = document["wishes"].get("candidates", COMPARED)
            return {**task, **self._composing(project, document, candidates=candidates)}
        if kind not in ("anew", "stems", "file"):
            raise UsageError(f"the studio knows no work {shown(kind)}")
        try:
            folder = project.take(wanted.get("take"))
        except KeyError as error:
            raise MissingError("there is no such piece; it may have been deleted") from error
        if kind == "anew":
            more = {"candidates": _drafts(wanted), "redo": _span(wanted)}
            task |= {"keep": str(folder / "score.mid"), "parent": folder.name}
            return {**task, **self._composing(project, document, **more)}
        name = wanted.get("name")
        if kind == "file" and name not in FILES:
            known = ", ".join(FILES)
            raise UsageError(f"no file {shown(name)} can be made; choose one of {known}")
        more = {"take": str(folder), "name": name, "title": project.record.name}
        return {**task, **more, "wishes": document["wishes"]}

    def _composing(
        self, project: Project, document: Mapping[str, Any], **more: Any
    ) -> dict[str, Any]:
        """Return what pieces are composed of, with a seed that none was drawn with before."""
        recipe = {key: document[key] for key in ("analysis", "plan", "wishes")}
        seed = (document["wishes"].get("seed", 0) + project.record.composed) % (MOST_SEED + 1)
        project.save(composed=project.record.composed + 1)
        return {"recipe": {**recipe, "seed": seed, **more}, "version": project.record.at}

    async def _answered(self, job: Job, answer: dict[str, Any]) -> dict[str, Any] | None:
        """Take in what the worker has done; return what the pages are told of it."""
        async with self._lock:
            if (project := self.projects.get(job.film)) is None:
                return None
            told = await asyncio.to_thread(self._taken_in, project, job, answer)
        if job.kind == "watch" and answer["event"] == "done" and not project.record.picture:
            self._copy(project)
        return told

    def _taken_in(self, project: Project, job: Job, answer: dict[str, Any]) -> dict[str, Any]:
        event, record = answer["event"], project.record
        if event == "film":
            project.save(facts=answer["facts"])
            self._allow(job, project)
        elif event == "strip":
            project.save(strip=(*record.strip, answer["time"]))
            return _picture(project, len(record.strip))
        elif event == "picture":
            project.save(picture=answer["file"], picture_type=answer["type"])
        elif event == "candidate":
            return _summary(project.take(answer["take"]), project.id)
        elif event == "done" and job.kind == "watch":
            seen = Analysis.from_json(project.seen(), "the analysis")
            with noted() as notes:
                document = Document.of(seen)
            job.notes += notes
            now = {"state": "ready", "facts": answer["result"]["facts"]}
            if record.at:  # watched again, since what was seen was lost
                project.save(**now)
            else:
                project.put(document, "as seen", **now)
        return {"film": project.id}

    async def _ended(self, job: Job) -> None:
        async with self._lock:
            if project := self.projects.get(job.film):
                await asyncio.to_thread(_end, project, job)


def _end(project: Project, job: Job) -> None:
    if job.stage:  # it has begun, and may have left something
        project.sweep()
    ours, dropped = str(project.film), project.record.name  # of which a person knows the second
    job.reason = job.reason.replace(ours, dropped)
    job.notes = [note.replace(ours, dropped) for note in job.notes]
    if job.kind == "watch" and job.state != "done":
        reason = job.reason or "watching it was cancelled"
        project.record = replace(project.record, state="failed", reason=reason)
        project.save()  # a disk that is full leaves it unsaid there: the next start watches again


def _mix_anew(project: Project, before: Wishes, after: Wishes) -> None:
    """Remove files whose mix of film and music is no longer the one that is wished."""
    if outputs_of(before) != outputs_of(after):
        for path in (project.folder / "takes").glob("*/files/*"):
            if path.name in MIXED:
                path.unlink(missing_ok=True)


def _summaries(project: Project) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what a list of a film's takes shows, and a sentence for each that cannot be read."""
    found, notes = [], []
    for id_ in project.takes():
        try:
            found.append(_summary(project.folder / "takes" / id_, project.id))
        except FileNotFoundError:  # it has just been deleted
            continue
        except InputError as error:
            notes.append(f"a piece is left out: {error}")
    return found, notes


def _summary(folder: Path, film: str) -> dict[str, Any]:
    """Return what a list of takes shows of the one in ``folder``."""
    places = folder, folder / "take.json", folder / "files"  # in which what is made of it appears
    return _read_summary(folder, film, *(p.stat().st_mtime_ns for p in places if p.exists()))


@lru_cache(maxsize=1000)
def _read_summary(folder: Path, film: str, *changed: int) -> dict[str, Any]:
    return summary(take_json(folder, film))


def _picture(project: Project, number: int) -> dict[str, Any]:
    """Return a picture of a film's strip, as pages are told of it."""
    url = f"/api/films/{project.id}/strip/{number}"
    return {"time": project.record.strip[number], "url": url}


def _span(wanted: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds that shall be composed anew."""
    try:
        return read_span((real(wanted.get("from"), "from"), real(wanted.get("to"), "to")))
    except FieldError as error:
        raise UsageError(str(error)) from error


def _drafts(wanted: Mapping[str, Any]) -> int:
    """Return how many drafts of a span are wanted."""
    drafts = wanted.get("drafts", DRAFTS)
    if type(drafts) is not int or not 1 <= drafts <= MOST_CANDIDATES:
        raise UsageError(f"{shown(drafts)} drafts cannot be drawn; choose 1 to {MOST_CANDIDATES}")
    return drafts


def _size(count: int) -> str:
    return f"{count / 2**30:.2g} GB" if count >= 2**30 / 10 else f"{count / 2**20:.0f} MB"
