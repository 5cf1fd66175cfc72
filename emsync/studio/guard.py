"""Who may talk to the studio: this machine's browser, at the address that was printed.

Rules: the ``Host`` is this machine by its own name, so that no foreign name can be bound to it; the
key of the printed address has become a cookie, so that other users of the machine stay out; what
changes anything has a token in a header, which pages of other origins cannot send.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost")
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; media-src 'self' blob:; img-src 'self' blob: data:; "
        b"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
LOST = "this address has no key any more; open the one that emsync studio printed"


@dataclass(frozen=True)
class Secrets:
    """What tells the person who started the studio from everybody else."""

    port: int
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _passes: set[str] = field(default_factory=set, repr=False)

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers share cookies among the ports of a host."""
        return f"emsync-{self.port}"

    @property
    def hosts(self) -> set[str]:
        """The ``Host`` headers that are this studio's; a browser leaves out port 80."""
        ports = ("", ":80") if self.port == 80 else (f":{self.port}",)
        return {name + port for name in HOSTS for port in ports}

    def new_pass(self) -> str:
        """Return what counts as the key, once.

        The address that a browser is started with can be read by everybody on the machine.
        """
        self._passes.add(new := secrets.token_urlsafe(24))
        return new

    def is_key(self, given: str) -> bool:
        """Return whether ``given`` is the key, in a time that tells nothing of it."""
        return hmac.compare_digest(given.encode(errors="replace"), self.key.encode())

    def opens(self, given: str) -> bool:
        """Return whether ``given`` is the key, or a pass, which counts no more after that."""
        if given in self._passes:
            self._passes.remove(given)
            return True
        return self.is_key(given)


class Guard:
    """Lets through what the rules allow, and adds the headers that hold the page to itself."""

    def __init__(self, app: App, secrets: Secrets) -> None:
        self.app, self.secrets = app, secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-cache"))
                message["headers"] = [*headers, *HEADERS]
            await send(message)

        status, sentence = self._refusal(scope)
        if sentence:
            await JSONResponse({"error": sentence}, status)(scope, receive, sent)
        else:
            await self.app(scope, receive, sent)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """Return the status and the sentence with which a request is refused, or none."""
        pairs = [(name.decode("latin-1"), value.decode("latin-1"))
                 for name, value in scope["headers"]]  # fmt: skip
        headers, api = dict(pairs), scope["path"].startswith("/api/")
        hosts = [value for name, value in pairs if name == "host"]
        if len(hosts) != 1 or hosts[0] not in self.secrets.hosts:
            return 400, "the studio answers only under the address that it printed"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and (
            api or headers.get("sec-fetch-mode") != "navigate"  # a link to the page is none of it
        ):
            return 403, "the studio answers only its own page"
        if not api or scope["path"] == "/api/key":
            return 0, ""
        if not self._has_cookie(headers.get("cookie", "")):
            return 401, LOST
        given, changes = headers.get("x-emsync", ""), scope["method"] not in ("GET", "HEAD")
        if changes and not hmac.compare_digest(given.encode(), self.secrets.token.encode()):
            return 403, "the studio takes changes only from its own page; reload it"
        return 0, ""

    def _has_cookie(self, header: str) -> bool:
        return self.secrets.is_key(cookie_parser(header).get(self.secrets.cookie, ""))
