"""The studio itself: its films, and what pages and the worker do to them, one thing at a time."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emsync.analysis import Analysis
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.limits import quoted, read_json
from emsync.studio import document as documents
from emsync.studio.document import MOST_CANDIDATES, Document, Edit
from emsync.studio.jobs import Job, Jobs
from emsync.studio.projects import Project, load_all
from emsync.studio.takes import summary, take_json

MOST_DRAFTS = 3  # of a span that is composed anew, where nothing else is said
FILES = ("score.musicxml", "mix.wav", "film.mp4", "stems.zip", "bundle.zip")  # made when asked for


class MissingError(EmsyncError):
    """What is asked for is not there."""


class TooMuchError(EmsyncError):
    """More than a limit allows."""


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

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {**asdict(self), "candidates": MOST_CANDIDATES}


class Studio:
    """All films in ``home``. What changes a film holds its lock, and is done one at a time."""

    def __init__(self, home: Path, limits: Limits = Limits(), jobs: Jobs | None = None) -> None:
        self.home, self.limits = home, limits
        self.projects = load_all(home)
        self.jobs = jobs or Jobs()
        self.jobs.on_answer, self.jobs.on_end = self._answered, self._ended
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Begin to work; films that were being watched when the studio ended are watched again."""
        self.jobs.start()
        for project in self.projects.values():
            project.sweep()
            if project.record.state == "watching":
                self._watch(project)
            elif project.record.state == "ready" and not project.record.picture:
                self._copy(project)

    async def stop(self) -> None:
        """End all work."""
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
                "picture": f"/api/films/{p.id}/strip/0" if p.record.strip else None,
            }
            for p in newest
        ]  # fmt: skip

    def film(self, id_: str) -> dict[str, Any]:
        """Return all of a film but its takes' notes."""
        project = self.project(id_)
        record = project.record
        ready = record.state == "ready"
        return {
            "film": {
                "id": id_, "name": record.name, "state": record.state, "reason": record.reason,
                "created": record.created, "bytes": project.bytes(), **record.facts,
                "picture": f"/api/films/{id_}/picture" if record.picture else None,
            },
            "strip": [
                {"time": time, "url": f"/api/films/{id_}/strip/{number}"}
                for number, time in enumerate(record.strip)
            ],
            "seen": project.seen() if ready else None,
            "document": self._document(project) if ready else None,
            "takes": [
                summary(take_json(project.take(take), id_)) for take in project.takes()
            ],
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
        for project in self.projects.values():
            if id_ in project.takes():
                return project, project.take(id_)
        raise MissingError("there is no such piece; it may have been deleted")

    def take(self, id_: str) -> dict[str, Any]:
        """Return a take whole."""
        project, folder = self.take_folder(id_)
        return take_json(folder, project.id)

    def used(self) -> int:
        """Return the bytes that all films take."""
        return sum(project.bytes() for project in self.projects.values())

    # --- films ---

    async def add(self, name: str, pieces: AsyncIterator[bytes], size: int | None = None) -> str:
        """Take in a film of ``size`` bytes, if that is known; return its id."""
        self._check_room(size or 0)
        project = Project.create(self.home, name)
        try:
            written = 0
            with project.film.open("xb") as file:
                async for piece in pieces:
                    written += len(piece)
                    if written > self.limits.upload:
                        self._check_room(written)
                    await asyncio.to_thread(file.write, piece)
            if size is not None and written < size:
                raise InputError(f"only {written} of {size} bytes of {quoted(name)} arrived")
            if not written:
                raise InputError(f"{quoted(name)} is empty")
        except BaseException:
            project.delete()
            raise
        return self._enter(project)

    async def add_copy(self, path: Path) -> str:
        """Take in a film that lies on this machine; return the id of it or of an earlier copy."""
        from emsync.report.bundle import fingerprint

        print_ = await asyncio.to_thread(fingerprint, path)
        for project in self.projects.values():
            same = project.film.is_file() and project.film.stat().st_size == path.stat().st_size
            if same and await asyncio.to_thread(fingerprint, project.film) == print_:
                return project.id
        self._check_room(path.stat().st_size)
        project = Project.create(self.home, path.name)
        await asyncio.to_thread(shutil.copyfile, path, project.film)
        return self._enter(project)

    async def add_demo(self) -> str:
        """Take in the clip that ``emsync demo`` draws."""
        self._check_room(0)
        return self._enter(Project.create(self.home, "demo.mp4"))

    async def delete(self, id_: str) -> None:
        """Remove a film with all that was made for it."""
        project = self.project(id_)
        await self.jobs.cancel_all(id_)
        async with self._lock:
            del self.projects[id_]
            await asyncio.to_thread(project.delete)

    async def delete_take(self, id_: str) -> None:
        """Remove a take."""
        _, folder = self.take_folder(id_)
        async with self._lock:
            await asyncio.to_thread(shutil.rmtree, folder)

    def _enter(self, project: Project) -> str:
        self.projects[project.id] = project
        self._watch(project)
        return project.id

    def _watch(self, project: Project) -> None:
        project.record.strip = []
        task = {"folder": str(project.folder), "film": project.record.film,
                "name": project.record.name, "seconds": self.limits.seconds,
                "draw": not project.film.exists()}  # fmt: skip
        self.jobs.submit(project.id, "watch", task)

    def _copy(self, project: Project) -> None:
        """Have a copy made of a film that browsers do not play."""
        task = {"folder": str(project.folder), "film": project.record.film}
        self.jobs.submit(project.id, "proxy", task)

    def _check_room(self, size: int) -> None:
        """Refuse a film that is too large, or for which the disk is too full."""
        if size > self.limits.upload:
            raise TooMuchError(
                f"the film has {size / 2**30:.1f} GB, and {self.limits.upload / 2**30:g} are the "
                "most; make a smaller copy of it"
            )
        free = shutil.disk_usage(self.home).free
        if free - size < self.limits.free:
            raise OSError(28, os.strerror(28))

    # --- the document ---

    async def edit(self, id_: str, version: Any, what: str, edit: Edit) -> dict[str, Any]:
        """Take in an edit of the present version; return the document after it."""
        if edit.take is not None:
            self.take_folder(edit.take)
        return await self._change(
            id_, version, what, lambda document: documents.edited(document, edit)
        )

    async def plan_anew(self, id_: str, version: Any) -> dict[str, Any]:
        """Make the plan of the film again; return the document after it."""
        return await self._change(id_, version, "plan anew", documents.anew)

    async def _change(self, id_: str, version: Any, what: str, act: Any) -> dict[str, Any]:
        project = self._ready(id_)
        async with self._lock:
            self._check_version(project, version)
            before = project.document()
            after, notes = await asyncio.to_thread(documents.noted, lambda: act(before))
            if after != before:
                await asyncio.to_thread(project.put, after, what)
            return {"document": self._document(project), "notes": notes}

    async def step(self, id_: str, version: Any, step: int) -> dict[str, Any]:
        """Go back a version, or forward; return the document then."""
        project = self._ready(id_)
        number = project.beside(step)
        if number is None:
            raise UsageError("there is nothing to undo" if step < 0 else "there is nothing to redo")
        return await self.go(id_, version, number)

    async def go(self, id_: str, version: Any, number: int) -> dict[str, Any]:
        """Go to a version; return its document."""
        project = self._ready(id_)
        async with self._lock:
            self._check_version(project, version)
            try:
                await asyncio.to_thread(project.go, number)
            except KeyError as error:
                raise MissingError(f"there is no version {number} any more") from error
            return {"document": self._document(project), "notes": []}

    def _ready(self, id_: str) -> Project:
        project = self.project(id_)
        if project.record.state != "ready":
            raise UsageError("the film is still being watched; wait until it is")
        return project

    def _check_version(self, project: Project, version: Any) -> None:
        if version != project.record.at:
            raise ConflictError(
                "this film was changed in another window; here is how it is now",
                {"document": self._document(project)},
            )

    def _document(self, project: Project) -> dict[str, Any]:
        record = project.record
        return {
            "version": record.at,
            "what": next((v.what for v in record.versions if v.number == record.at), ""),
            "can_undo": project.beside(-1) is not None,
            "can_redo": project.beside(1) is not None,
            "versions": [asdict(v) for v in record.versions],
            **project.document().to_json(),
        }

    # --- jobs ---

    async def submit(self, id_: str, wanted: Mapping[str, Any]) -> Job:
        """Put work for a film into the queue."""
        project, kind = self._ready(id_), wanted.get("kind")
        common = {"folder": str(project.folder), "film": project.record.film}
        if kind == "compose":
            return self._compose(project, common)
        if kind == "anew":
            return self._compose_anew(project, common, wanted)
        if kind in ("stems", "file"):
            _, folder = self.take_folder(str(wanted.get("take")))
            name = wanted.get("name")
            if kind == "file" and name not in FILES:
                raise UsageError(f"no file {name!r} can be made; choose one of {', '.join(FILES)}")
            task = {**common, "take": str(folder), "name": name, "title": project.record.name}
            return self.jobs.submit(id_, kind, {**task, "wishes": project.document().wishes})
        raise UsageError(f"the studio knows no work {kind!r}")

    def _compose(self, project: Project, common: Mapping[str, Any]) -> Job:
        document = project.document()
        recipe = self._recipe(project, document)
        recipe["candidates"] = document.wishes.get("candidates", 4)
        return self._submit_composing(project, "compose", {**common, "recipe": recipe})

    def _compose_anew(
        self, project: Project, common: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> Job:
        _, folder = self.take_folder(str(wanted.get("take")))
        span, drafts = (wanted.get("from"), wanted.get("to")), wanted.get("drafts", MOST_DRAFTS)
        if not all(isinstance(at, (int, float)) for at in span):
            raise UsageError(f"from {span[0]!r} to {span[1]!r} is no span; name two times")
        if not isinstance(drafts, int) or not 1 <= drafts <= MOST_CANDIDATES:
            raise UsageError(f"{drafts!r} drafts cannot be drawn; choose 1 to {MOST_CANDIDATES}")
        recipe = self._recipe(project, project.document())
        task = {
            **common, "recipe": {**recipe, "candidates": drafts, "redo": span},
            "keep": str(folder / "score.mid"), "parent": folder.name,
        }  # fmt: skip
        return self._submit_composing(project, "anew", task)

    def _recipe(self, project: Project, document: Document) -> dict[str, Any]:
        """Return what a piece is composed of, with a seed that no piece was drawn with before."""
        return {
            "analysis": document.analysis.to_json(),
            "plan": document.plan.to_json(),
            "wishes": dict(document.wishes),
            "seed": document.wishes.get("seed", 0) + project.record.composed,
        }

    def _submit_composing(self, project: Project, kind: str, task: dict[str, Any]) -> Job:
        number = project.record.composed + 1
        job = self.jobs.submit(project.id, kind, {**task, "version": project.record.at,
                                                  "run": number})  # fmt: skip
        project.record.composed = number
        project.save()
        return job

    async def _answered(self, job: Job, answer: dict[str, Any]) -> dict[str, Any] | None:
        """Take in what the worker has done; return what the pages are told of it."""
        project = self.projects.get(job.film)
        if project is None:
            return None
        event, record = answer["event"], project.record
        if event == "film":
            record.facts = answer["facts"]
        elif event == "strip":
            record.strip.append(answer["time"])
            return {"time": answer["time"], "url": f"/api/films/{project.id}/strip/"
                    f"{len(record.strip) - 1}"}  # fmt: skip
        elif event == "picture":
            record.picture, record.picture_type = answer["file"], answer["type"]
        elif event == "candidate":
            folder = project.take(answer["take"])
            return summary(await asyncio.to_thread(take_json, folder, project.id))
        elif event == "done" and job.kind == "watch":
            record.facts = answer["result"]["facts"]
            async with self._lock:
                await asyncio.to_thread(self._begin, project)
            if not record.picture:
                self._copy(project)
        project.save()
        return {"film": project.id}

    def _begin(self, project: Project) -> None:
        """Make the first version of a film that was watched."""
        seen = Analysis.from_json(read_json(project.folder / "seen.json"), "the analysis")
        project.record.state = "ready"
        project.put(Document.of(seen), "as seen")

    async def _ended(self, job: Job) -> None:
        project = self.projects.get(job.film)
        if project is None:
            return
        await asyncio.to_thread(project.sweep)
        if job.kind == "watch" and job.state != "done":
            project.record.state = "failed"
            project.record.reason = job.reason or "watching it was cancelled"
            project.save()
