"""What tests of the studio's server share: a studio whose worker is the fake, and its page."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from studio_server import events_of

from emsync.studio.app import create_app
from emsync.studio.guard import Secrets
from emsync.studio.jobs import Jobs, Worker
from emsync.studio.studio import Limits, Studio
from emsync.testing import example_video

PORT = 4321
FAKE = Path(__file__).with_name("studio_fake.py")
ROOMY = Limits(free=0)  # however full the disk is


class Page:
    """A page that has the key of a studio, and asks it for things."""

    def __init__(self, client: TestClient, secrets: Secrets, studio: Studio) -> None:
        self.client, self.secrets, self.studio = client, secrets, studio
        self.headers = {"x-emsync": secrets.token}
        client.cookies.set(secrets.cookie, secrets.key)

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Return the JSON of an answer, whose status is as expected."""
        answer = self.client.request(method, path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def send(self, content: Any, name: str = "clip.mp4", status: int = 201, **headers: str) -> Any:
        """Upload a film; return what is answered."""
        answer = self.client.post(
            "/api/films", content=content, headers={**self.headers, "x-name": name, **headers}
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    def follow(self, job: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of a job up to its end."""
        with self.client.stream("GET", f"/api/jobs/{job}/events") as answer:
            assert answer.status_code == 200
            return events_of(answer.iter_lines())

    def film(self, name: str = "clip.mp4") -> str:
        """Upload a film, wait until it was watched, and return its id."""
        film = str(self.send(b"a film", name)["film"]["id"])
        self.follow(self.watching(film))
        return film

    def watching(self, film: str) -> str:
        """Return the id of the job that watches a film, which may have ended already."""
        jobs = [entry.job for entry in self.studio.jobs._entries.values()]
        return next(job.id for job in jobs if (job.film, job.kind) == (film, "watch"))

    def document(self, film: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/api/films/{film}")["document"]
        return found

    def edit(self, film: str, status: int = 200, **parts: Any) -> Any:
        """Edit the present version."""
        parts.setdefault("version", self.document(film)["version"])
        return self.ask("PUT", f"/api/films/{film}/document", parts, status)

    def compose(self, film: str) -> list[str]:
        """Compose, and return the ids of the pieces."""
        job = self.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 202)["job"]
        return [data["id"] for name, data in self.follow(job["id"]) if name == "candidate"]


@contextmanager
def studio(home: Path, limits: Limits = ROOMY, raises: bool = True) -> Iterator[Page]:
    """Yield a page of a studio in ``home``, which runs meanwhile."""
    known = home.with_name("known")
    known.mkdir(exist_ok=True)
    (known / "seen.json").write_text(json.dumps(example_video().to_json()))
    take = {"version": 1, "score": 0.9, "duration": 20.0, "columns": {"start": [0.5]}}
    (known / "take.json").write_text(json.dumps(take))
    worker = Worker((sys.executable, "-I", "-S", str(FAKE), str(known)))
    made, secrets = Studio(home, limits, Jobs(worker)), Secrets(PORT)
    client = TestClient(
        create_app(made, secrets), f"http://127.0.0.1:{PORT}", raise_server_exceptions=raises
    )
    with client:
        assert client.portal is not None
        client.portal.call(made.start)
        try:
            yield Page(client, secrets, made)
        finally:
            client.portal.call(made.stop)
