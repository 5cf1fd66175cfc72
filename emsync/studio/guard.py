"""Who may talk to the studio: this machine's browser, at the address that was printed.

Rules: the ``Host`` is this machine by its own name, so that no foreign name can be bound to it; the
key of the printed address has become a cookie, so that other users of the machine stay out; what
changes anything has a token in a header, which pages of other origins cannot send.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias

from starlette.responses import JSONResponse

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost", "[::1]")
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
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers share cookies among the ports of a host."""
        return f"emsync-{self.port}"

    def is_key(self, given: str) -> bool:
        """Return whether ``given`` is the key, in a time that tells nothing of it."""
        return hmac.compare_digest(given.encode(), self.key.encode())


class Guard:
    """Lets through what the rules allow, and adds the headers that hold the page to itself."""

    def __init__(self, app: App, secrets: Secrets) -> None:
        self.app, self.secrets = app, secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        status, sentence = self._refusal(scope)
        if sentence:
            await JSONResponse({"error": sentence}, status)(scope, receive, sent)
        else:
            await self.app(scope, receive, sent)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """Return the status and the sentence with which a request is refused, or none."""
        headers = {name.decode("latin-1"): value.decode("latin-1")
                   for name, value in scope["headers"]}  # fmt: skip
        host = headers.get("host", "")
        if host not in {*(f"{name}:{self.secrets.port}" for name in HOSTS)}:
            return 400, "the studio answers only under the address that it printed"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "the studio answers only its own page"
        if not scope["path"].startswith("/api/"):
            return 0, ""
        changes = scope["method"] not in ("GET", "HEAD")
        if scope["path"] == "/api/key":
            return 0, ""
        if not self._has_cookie(headers.get("cookie", "")):
            return 401, LOST
        given = headers.get("x-emsync", "")
        if changes and not hmac.compare_digest(given.encode(), self.secrets.token.encode()):
            return 403, "the studio takes changes only from its own page; reload it"
        return 0, ""

    def _has_cookie(self, header: str) -> bool:
        try:
            morsel = SimpleCookie(header).get(self.secrets.cookie)
        except CookieError:
            return False
        return morsel is not None and self.secrets.is_key(morsel.value)
