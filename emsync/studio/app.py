"""The routes of the studio, thin: each looks something up, changes it, and answers in JSON.

The paths and what they answer are listed in ``docs/studio.md``.
"""

import asyncio
import json
import re
import shutil
import traceback
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

import emsync
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.limits import one_line, parse_json, quoted, shown
from emsync.studio.guard import LOST, Guard, Secrets
from emsync.studio.jobs import BusyError
from emsync.studio.lists import lists
from emsync.studio.room import is_full
from emsync.studio.studio import (
    ConflictError,
    FullError,
    MissingError,
    Studio,
    TooMuchError,
)

PAGE = Path(__file__).parent / "page"
MOST_JSON = 16 * 2**20  # bytes of a request that is no film
STATUS = (  # of errors, the first that fits
    (ConflictError, 409), (MissingError, 404), (BusyError, 503), (TooMuchError, 413),
    (FullError, 507), (UsageError, 422), (InputError, 422),
)  # fmt: skip
WHOLE = re.compile(r"[0-9]{1,9}")  # a number of ours


def create_app(studio: Studio, secrets: Secrets) -> Guard:
    """Return the studio as an application that only its own page can use.

    Whoever serves it starts and stops the studio.
    """
    routes = [
        Route("/api/key", give_key, methods=["POST"]),
        Route("/api/health", health),
        Route("/api/films", films),
        Route("/api/films", add_film, methods=["POST"]),
        Route("/api/films/demo", add_demo, methods=["POST"]),
        Route("/api/films/{film}", film),
        Route("/api/films/{film}", delete_film, methods=["DELETE"]),
        Route("/api/films/{film}/document", put_document, methods=["PUT"]),
        Route("/api/films/{film}/plan", plan_anew, methods=["POST"]),
        Route("/api/films/{film}/undo", undo, methods=["POST"]),
        Route("/api/films/{film}/redo", redo, methods=["POST"]),
        Route("/api/films/{film}/versions/{number}", go_to_version, methods=["POST"]),
        Route("/api/films/{film}/picture", picture),
        Route("/api/films/{film}/strip/{number}", strip),
        Route("/api/films/{film}/files/{name}", document_file),
        Route("/api/films/{film}/jobs", submit, methods=["POST"]),
        Route("/api/jobs/{job}", job),
        Route("/api/jobs/{job}", cancel, methods=["DELETE"]),
        Route("/api/jobs/{job}/events", events),
        Route("/api/takes/{take}", take),
        Route("/api/takes/{take}", delete_take, methods=["DELETE"]),
        Route("/api/takes/{take}/sound", sound),
        Route("/api/takes/{take}/stems/{name}", stem),
        Route("/api/takes/{take}/files/{name}", take_file),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.studio, app.state.secrets = studio, secrets
    return Guard(app, secrets)


async def refused(request: Request, error: Exception) -> Response:
    """Answer an error with its sentence."""
    home = quoted(_studio(request).home)
    if is_full(error):
        sentence = f"the disk with {home} is full, and nothing was changed; make room"
        return JSONResponse({"error": sentence}, 507)
    if isinstance(error, OSError):
        sentence = f"{error.strerror or error}: {quoted(error.filename or home)}"
        return JSONResponse({"error": sentence}, 500)
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
    facts = error.facts if isinstance(error, ConflictError) else {}
    return JSONResponse({"error": str(error), **facts}, status)


async def unknown(request: Request, error: Exception) -> Response:
    """Answer what has no route, or not this method."""
    assert isinstance(error, HTTPException)
    sentence = f"the studio has nothing there ({error.detail})"
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def fault(request: Request, error: Exception) -> Response:
    """Answer a fault of ours; its trace is for the terminal."""
    traceback.print_exception(error)
    return JSONResponse({"error": f"a fault in emsync: {type(error).__name__}: {error}"}, 500)


async def gone(request: Request, error: Exception) -> Response:
    """Answer a page that has gone meanwhile."""
    return Response(status_code=400)


HANDLERS: Mapping[Any, Any] = {
    EmsyncError: refused, OSError: refused, ClientDisconnect: gone, HTTPException: unknown,
    Exception: fault,
}  # fmt: skip


# --- who is there ---------------------------------------------------------------------------------


async def give_key(request: Request) -> Response:
    """Turn the key of the printed address into a cookie."""
    secrets: Secrets = request.app.state.secrets
    given = (await _json(request)).get("key")
    if not isinstance(given, str) or not secrets.opens(given):
        return JSONResponse({"error": LOST}, 401)
    answer = JSONResponse({"token": secrets.token})
    answer.set_cookie(secrets.cookie, secrets.key, httponly=True, samesite="strict", path="/")
    return answer


async def health(request: Request) -> Response:
    """Tell what the page has to know once."""
    studio, secrets = _studio(request), request.app.state.secrets
    facts = await asyncio.to_thread(lists)
    return JSONResponse({
        "version": emsync.__version__, "token": secrets.token,
        "home": one_line(str(studio.home), 1000),
        "free": shutil.disk_usage(studio.home).free,
        "limits": studio.limits.to_json(), "notes": studio.notes, **facts,
    })  # fmt: skip


# --- films ----------------------------------------------------------------------------------------


async def films(request: Request) -> Response:
    """List the films, newest first."""
    return JSONResponse(await asyncio.to_thread(_studio(request).films))


async def add_film(request: Request) -> Response:
    """Take in a film that is dropped, as it arrives."""
    name = unquote(request.headers.get("x-name", "film"))
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdecimal() else None
    id_ = await _studio(request).add(name, request.stream(), size)
    return await _told(request, id_, 201)


async def add_demo(request: Request) -> Response:
    """Draw the clip of ``emsync demo``, and take it in."""
    return await _told(request, await _studio(request).add_demo(), 201)


async def film(request: Request) -> Response:
    """Tell all of a film but its takes' notes."""
    return await _told(request, request.path_params["film"])


async def delete_film(request: Request) -> Response:
    """Remove a film with all that was made for it."""
    await _studio(request).delete(request.path_params["film"])
    return JSONResponse({})


async def _told(request: Request, id_: str, status: int = 200) -> Response:
    return JSONResponse(await asyncio.to_thread(_studio(request).film, id_), status)


# --- the document ---------------------------------------------------------------------------------


async def put_document(request: Request) -> Response:
    """Take in an edit."""
    data = await _json(request)
    return JSONResponse(await _studio(request).edit(request.path_params["film"], data))


async def plan_anew(request: Request) -> Response:
    """Make the plan of the film again."""
    data = await _json(request)
    return JSONResponse(await _studio(request).plan_anew(request.path_params["film"], data))


async def undo(request: Request) -> Response:
    """Go back a version."""
    data = await _json(request)
    return JSONResponse(await _studio(request).step(request.path_params["film"], data, -1))


async def redo(request: Request) -> Response:
    """Go forward a version."""
    data = await _json(request)
    return JSONResponse(await _studio(request).step(request.path_params["film"], data, 1))


async def go_to_version(request: Request) -> Response:
    """Go to a version."""
    data, params = await _json(request), request.path_params
    return JSONResponse(await _studio(request).go(params["film"], data, _whole(params["number"])))


# --- files of a film ------------------------------------------------------------------------------


async def picture(request: Request) -> Response:
    """Send the film, or the copy that browsers play, in ranges."""
    project = _studio(request).project(request.path_params["film"])
    if not project.record.picture:
        raise MissingError("the film cannot be played yet")
    return _sent(request, project.folder / project.record.picture, project.record.picture_type)


async def strip(request: Request) -> Response:
    """Send a picture of the film's strip."""
    params = request.path_params
    project = _studio(request).project(params["film"])
    return _sent(
        request, project.folder / "strip" / f"{_whole(params['number']):02d}.jpg", "image/jpeg"
    )


async def document_file(request: Request) -> Response:
    """Send the analysis or the plan of the present version, as the command line reads it."""
    params = request.path_params
    project, name = _studio(request).project(params["film"]), params["name"]
    if name not in ("analysis.json", "plan.json"):
        raise MissingError("of a film there are analysis.json and plan.json")
    called = f"{Path(project.record.name).stem}.{name}"
    return _sent(request, project.folder / name, "application/json", called)


# --- jobs -----------------------------------------------------------------------------------------


async def submit(request: Request) -> Response:
    """Put work into the queue."""
    job = await _studio(request).submit(request.path_params["film"], await _json(request))
    return JSONResponse({"job": job.to_json()}, 202)


async def job(request: Request) -> Response:
    """Tell how far a job is."""
    return JSONResponse(_studio(request).job(request.path_params["job"]).to_json())


async def cancel(request: Request) -> Response:
    """Cancel a job."""
    studio = _studio(request)
    studio.job(request.path_params["job"])
    return JSONResponse((await studio.jobs.cancel(request.path_params["job"])).to_json())


async def events(request: Request) -> Response:
    """Send the events of a job as they happen."""
    studio, id_ = _studio(request), request.path_params["job"]
    studio.job(id_)
    after = _whole(request.headers.get("last-event-id", ""))
    if studio.jobs.is_heard(id_, after):
        return Response(status_code=204)  # a browser that is told so does not ask again

    async def lines() -> AsyncIterator[str]:
        async for number, name, data in studio.jobs.events(id_, after):
            yield f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


# --- takes ----------------------------------------------------------------------------------------


async def take(request: Request) -> Response:
    """Tell a take, its notes too."""
    return JSONResponse(await asyncio.to_thread(_studio(request).take, request.path_params["take"]))


async def delete_take(request: Request) -> Response:
    """Remove a take."""
    await _studio(request).delete_take(request.path_params["take"])
    return JSONResponse({})


async def sound(request: Request) -> Response:
    """Send the sound of a take."""
    _, folder = _studio(request).take_folder(request.path_params["take"])
    return _sent(request, folder / "sound.flac", "audio/flac")


async def stem(request: Request) -> Response:
    """Send the sound of one player."""
    studio, params = _studio(request), request.path_params
    _, folder = studio.take_folder(params["take"])
    known = await asyncio.to_thread(studio.take, params["take"])
    if params["name"] not in {row["name"] for row in known["stems"] or ()}:
        raise MissingError("the take has no such player, or its players were not played alone yet")
    return _sent(request, folder / "stems" / f"{params['name']}.flac", "audio/flac")


async def take_file(request: Request) -> Response:
    """Send a file of a take, named after the film."""
    studio, params = _studio(request), request.path_params
    project, folder = studio.take_folder(params["take"])
    known, name = await asyncio.to_thread(studio.take, params["take"]), params["name"]
    if name not in known["files"]:
        raise MissingError(f"{shown(name)} is not made yet")
    path = folder / name if name == "score.mid" else folder / "files" / name
    called = f"{Path(project.record.name).stem}.{known['name']}.{name}"
    return _sent(request, path, called=called)


# --- shared ---------------------------------------------------------------------------------------


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


def _whole(text: str) -> int:
    """Return the number that is written in a path or a header; -1, which nothing has, for none."""
    return int(text) if WHOLE.fullmatch(text) else -1


async def _json(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request, which is bounded."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_JSON:
            raise TooMuchError(f"the request has more than {MOST_JSON} bytes")
    return await asyncio.to_thread(_object, data) if data else {}


def _object(data: bytes | bytearray) -> dict[str, Any]:
    try:
        text = data.decode()
        value = parse_json(text, "the request")
        if "\\u" in text:  # half a character can be neither written nor sent
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise InputError("the request has half a character, or is no UTF-8") from error
    if not isinstance(value, dict):
        raise InputError("the request holds no JSON object")
    return value


def _sent(request: Request, path: Path, type_: str | None = None, called: str = "") -> Response:
    """Return a file of the studio, as an attachment where it is ``called`` something.

    A link out of the studio's folder is not followed.
    """
    if not path.is_file() or not path.resolve().is_relative_to(_studio(request).home.resolve()):
        raise MissingError("the file is not there, or not yet")
    disposition = f"attachment; filename*=UTF-8''{quote(called)}"
    headers = {"content-disposition": disposition} if called else {}
    answer = FileResponse(path, headers=headers, media_type=type_, stat_result=path.stat())
    if answer.headers["etag"] in request.headers.get("if-none-match", ""):
        return NotModifiedResponse(answer.headers)
    return answer
