"""Who may talk to the studio: each rule of its guard."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_client import PORT, Page, studio

from emsync.studio.guard import HEADERS, Secrets

GETS = ["/api/health", "/api/films", "/api/films/x", "/api/jobs/x/events", "/api/takes/x/sound"]
CHANGES = [
    ("POST", "/api/films"), ("POST", "/api/films/demo"), ("DELETE", "/api/films/x"),
    ("PUT", "/api/films/x/document"), ("DELETE", "/api/jobs/x"), ("DELETE", "/api/takes/x"),
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with studio(tmp_path_factory.mktemp("guard") / "home", raises=False) as page:
        yield page


@pytest.fixture(scope="module")
def film(page: Page) -> str:
    return page.film()


@pytest.fixture(scope="module")
def take(page: Page, film: str) -> str:
    return page.compose(film)[0]


def test_a_page_with_its_key_is_let_in(page: Page) -> None:
    for path in ("/", "/api.js", "/api/health", "/api/films"):
        assert page.get(path).status_code == 200
    assert page.get("/", headers={"host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"0.0.0.0:{PORT}", "",
     f"127.0.0.1:{PORT}.evil.example", f"[::1]:{PORT}", f"localhost.:{PORT}",
     f"user@127.0.0.1:{PORT}", f"127.1:{PORT}"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/films", "/api/key", "/nothing"])
def test_a_foreign_host_is_refused(page: Page, host: str, path: str) -> None:
    answer = page.get(path, headers={"host": host})
    assert answer.status_code == 400
    assert answer.json() == {"error": "the studio answers only under the address that it printed"}


def test_two_hosts_are_refused(page: Page) -> None:
    good = f"127.0.0.1:{PORT}"
    answer = page.get("/", headers=[("host", "evil.example"), ("host", good)])
    assert answer.status_code == 400


def test_port_80_is_left_out_by_browsers() -> None:
    assert Secrets(80).hosts == {"127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"}
    assert Secrets(8080).hosts == {"127.0.0.1:8080", "localhost:8080"}


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize(
    "cookie",
    ["", f"emsync-{PORT}=", f"emsync-{PORT}=wrong", f"emsync-{PORT}=KEYx", "emsync-1=KEY",
     f"emsync-{PORT}=k\xe9", "=;;=", "emsync=KEY"],
)  # fmt: skip
def test_without_the_cookie_nothing_is_told(page: Page, path: str, cookie: str) -> None:
    sent = cookie.replace("KEY", page.secrets.key).encode("latin-1")
    page.client.cookies.clear()
    try:
        answer = page.get(path, headers={b"cookie": sent, b"x-emsync": page.secrets.token.encode()})
    finally:
        page.client.cookies.set(page.secrets.cookie, page.secrets.key)
    assert answer.status_code == 401
    assert "the one that emsync studio printed" in answer.json()["error"]


def test_cookies_of_other_servers_of_this_machine_do_no_harm(page: Page) -> None:
    page.client.cookies.clear()
    try:
        cookie = f'other={{"a": "b;c}}"; bad name=1; emsync-{PORT}={page.secrets.key}; last'
        assert page.get("/api/films", headers={"cookie": cookie}).status_code == 200
    finally:
        page.client.cookies.set(page.secrets.cookie, page.secrets.key)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("token", [None, "", "wrong", "tok\xe9n"])
def test_without_the_token_nothing_is_changed(
    page: Page, method: str, path: str, token: str | None
) -> None:
    headers = {} if token is None else {b"x-emsync": token.encode("latin-1")}
    answer = page.client.request(method, path, headers=headers)
    assert answer.status_code == 403
    assert "changes only from its own page" in answer.json()["error"]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd"])
@pytest.mark.parametrize("path", ["/api/films", "/api/key", "/api.js"])
def test_pages_of_other_origins_are_refused(page: Page, site: str, path: str) -> None:
    for method in ("GET", "POST"):
        headers = {**page.headers, "sec-fetch-site": site}
        answer = page.client.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, answer.text)


def test_a_link_from_elsewhere_opens_the_page_but_nothing_behind_it(page: Page) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert page.get("/", headers=link).status_code == 200
    assert page.get("/api/films", headers=link).status_code == 403


def test_no_other_origin_is_let_read(page: Page) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS", "HEAD"):
        for path in ("/", "/api/films", "/api/health"):
            answer = page.client.request(method, path, headers={**asked, **page.headers})
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_key_becomes_a_cookie_that_scripts_and_other_sites_never_see(page: Page) -> None:
    answer = page.client.post("/api/key", json={"key": page.secrets.key})
    assert answer.json() == {"token": page.secrets.token}
    flags = answer.headers["set-cookie"].lower()
    assert flags.startswith(f"emsync-{PORT}=")
    assert "httponly" in flags and "samesite=strict" in flags and "path=/" in flags
    assert "domain" not in flags


@pytest.mark.parametrize("key", ["", "wrong", None, 7, [], {}, "k\u00e9y", "\ud800"])
def test_no_other_key_does(page: Page, key: Any) -> None:
    body = {"key": key}
    if key == "\ud800":
        answer = page.client.post("/api/key", content=b'{"key": "\\ud800"}')
        assert answer.status_code == 422
    else:
        answer = page.client.post("/api/key", json=body)
        assert answer.status_code == 401
    assert "set-cookie" not in answer.headers and page.secrets.token not in answer.text


def test_what_a_browser_is_started_with_counts_once(page: Page) -> None:
    once = page.secrets.new_pass()
    assert once not in (page.secrets.key, page.secrets.new_pass())
    assert page.client.post("/api/key", json={"key": once}).status_code == 200
    assert page.client.post("/api/key", json={"key": once}).status_code == 401
    page.client.cookies.set(page.secrets.cookie, page.secrets.key)


def test_secrets_are_long_and_others_each_time() -> None:
    one, other = Secrets(1), Secrets(1)
    said = {one.key, one.token, other.key, other.token}
    assert len(said) == 4 and all(len(secret) >= 32 for secret in said)


def everywhere(page: Page, film: str, take: str) -> Iterator[Any]:
    """Yield an answer of each kind."""
    yield page.get("/")
    yield page.get("/api.js")
    yield page.get("/nothing.js")
    yield page.get("/api/films")
    yield page.get("/api/films/0")
    yield page.get("/api/nothing")
    yield page.get(f"/api/films/{film}/picture")
    yield page.get(f"/api/films/{film}/picture", headers={"range": "bytes=0-1"})
    yield page.get(f"/api/films/{film}/picture", headers={"range": "bytes=90-"})
    yield page.get(f"/api/films/{film}/strip/0")
    yield page.get(f"/api/takes/{take}/sound")
    yield page.get(f"/api/takes/{take}/files/score.mid")
    yield page.get("/", headers={"host": "evil.example"})
    yield page.client.post("/api/films")
    yield page.client.put("/", headers=page.headers)
    yield page.client.head("/")


def test_every_answer_holds_the_page_to_itself(page: Page, film: str, take: str) -> None:
    statuses = set()
    for answer in everywhere(page, film, take):
        statuses.add(answer.status_code)
        for name, value in HEADERS:
            assert answer.headers[name.decode()] == value.decode(), answer.url
        assert answer.headers["cache-control"] in ("no-cache", "no-store"), answer.url
    assert {200, 206, 400, 403, 404, 405, 416} <= statuses
    policy = dict(HEADERS)[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy


def test_a_fault_of_ours_is_a_sentence_with_all_headers(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page.studio, "films", lambda: [][0])
    answer = page.get("/api/films")
    assert answer.status_code == 500
    assert answer.json() == {"error": "a fault in emsync: IndexError: list index out of range"}
    assert answer.headers["x-content-type-options"] == "nosniff"


TRICKS = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc", "%2fetc%2fpasswd",
    "..%00", "%00", "a" * 5000, "..;/etc", ".%2e/.%2e/etc/passwd", "%252e%252e%252f", "*", "~",
    "project.json", "%ff%fe",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=lambda text: text[:20])
def test_no_path_leads_out(page: Page, film: str, take: str, trick: str) -> None:
    for before in (
        "/", "/api/films/", f"/api/films/{film}/files/", f"/api/films/{film}/strip/",
        "/api/takes/", f"/api/takes/{take}/stems/", f"/api/takes/{take}/files/", "/api/jobs/",
    ):  # fmt: skip
        answer = page.get(before + trick)
        assert answer.status_code == 404, (before, answer.text[:200])
        assert "error" in answer.json()


def test_links_in_the_home_lead_nowhere(page: Page, film: str, take: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = page.studio.project(film).folder
    sound = folder / "takes" / take / "sound.flac"
    kept = sound.read_bytes()
    sound.unlink()
    sound.symlink_to(secret)
    (folder / "strip" / "07.jpg").symlink_to(secret)
    (folder / "takes" / ("a" * 16)).symlink_to(tmp_path)
    (tmp_path / "take.json").write_text("{}")
    try:
        assert page.get(f"/api/takes/{take}/sound").status_code == 404
        assert page.get(f"/api/films/{film}/strip/7").status_code == 404
        assert page.get(f"/api/takes/{'a' * 16}").status_code == 404
    finally:
        sound.unlink()
        sound.write_bytes(kept)
        (folder / "takes" / ("a" * 16)).unlink()


def test_the_token_and_the_key_are_in_no_answer_but_those_that_need_them(
    page: Page, film: str, take: str
) -> None:
    for answer in everywhere(page, film, take):
        text = answer.text + str(answer.headers)
        assert page.secrets.key not in text and page.secrets.token not in text
    assert page.secrets.key not in page.get("/api/health").text


def test_the_page_itself_names_no_other_host() -> None:
    folder = Path(__file__).parents[1] / "emsync" / "studio" / "page"
    for path in folder.iterdir():
        found = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
        assert not [url for url in found if not url.startswith("http://www.w3.org/")], path
    page = (folder / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=", page)


def test_the_home_is_closed_to_other_people(page: Page) -> None:
    assert page.studio.home.stat().st_mode & 0o777 == 0o700
