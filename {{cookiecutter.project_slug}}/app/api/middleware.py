"""What every answer gets, errors too: a request id, security headers, and a line in the log."""

import json
import re
from secrets import token_hex
from time import perf_counter
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars
from structlog.typing import FilteringBoundLogger

from app.core.config import Settings
from app.core.logging import access_log

RawHeaders = tuple[tuple[bytes, bytes], ...]

PROBES = frozenset({"/livez", "/readyz"})
DOCS = re.compile("/(docs|redoc|static-offline-docs)(/|$)").match
FOREIGN_FORM = re.compile(
    rb"multipart/.*charset(?!=\"?utf-8\"?\s*(;|$))", re.IGNORECASE | re.DOTALL
).match
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch

COMMON_HEADERS: RawHeaders = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
HSTS: RawHeaders = ((b"strict-transport-security", b"max-age=31536000"),)
API_HEADERS: RawHeaders = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
# Swagger UI starts itself from an inline script, and has its icons as data
DOCS_HEADERS: RawHeaders = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; worker-src blob:; frame-ancestors 'none'",
    ),
)


def is_probe(scope: Scope) -> bool:
    """Tell whether a request only asks how the service is."""
    return scope["path"] in PROBES


def middleware_stack(app: FastAPI, settings: Settings) -> ASGIApp:
    """Wrap an application, from the inside out, with FastAPI's own middleware innermost.

    FastAPI would put ours inside its own, which answer 413 and 500: those answers would then have
    neither a request id, nor what a browser needs to show them to another origin's script.

    Returns:
        What to set as `app.middleware_stack`.
    """
    stack: ASGIApp = FormCharsetMiddleware(app.build_middleware_stack())
    if settings.CORS_ORIGINS:
        stack = CORSMiddleware(
            stack,
            allow_origins=settings.CORS_ORIGINS,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID"],
        )
    if settings.ALLOWED_HOSTS != ("*",):
        stack = TrustedHostMiddleware(stack, settings.ALLOWED_HOSTS, www_redirect=False)
    return ObserveMiddleware(
        stack,
        access_log(settings),
        COMMON_HEADERS if settings.ENVIRONMENT == "local" else COMMON_HEADERS + HSTS,
    )


class FormCharsetMiddleware:
    """Refuse forms that are not in UTF-8.

    Starlette decodes a form with any codec that it names, and some of Python's take minutes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 415."""
        app = self.app
        if scope["type"] == "http" and any(
            name == b"content-type" and FOREIGN_FORM(value) for name, value in scope["headers"]
        ):
            app = JSONResponse({"detail": "Send forms in UTF-8"}, 415)
        await app(scope, receive, send)


class ObserveMiddleware:
    """Give each answer an id and security headers, and write one line about it.

    A header that a route sets itself stays as it is.
    """

    def __init__(self, app: ASGIApp, log: FilteringBoundLogger, headers: RawHeaders) -> None:
        self.app = app
        self.log = log
        self.api_headers = headers + API_HEADERS
        self.docs_headers = headers + DOCS_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; its log lines, and the server's about it, carry its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = perf_counter()
        end = 0.0
        status = 500
        plain_start: Message | None = None
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = self.docs_headers if DOCS(path) else self.api_headers
        request_id = given_id(scope) or token_hex(16).encode()
        bind_contextvars(request_id=request_id.decode())

        async def observed_send(message: Message) -> None:
            nonlocal end, plain_start, status
            if message["type"] == "http.response.start":
                end = perf_counter()
                status = message["status"]
                own = message["headers"]
                names = {name for name, _ in own}
                message["headers"] = [
                    *own,
                    (b"x-request-id", request_id),
                    *[header for header in headers if header[0] not in names],
                ]
                if status in (400, 413) and PLAIN_TEXT in own:
                    plain_start = message
                    return
            elif plain_start is not None:
                start, plain_start = plain_start, None
                as_json(start, message)
                await send(start)
            await send(message)

        try:
            await self.app(scope, receive, observed_send)
        finally:
            if path not in PROBES:
                self.log.info(
                    "request",
                    method=scope["method"],
                    path=route_path(scope) or masked(path),
                    status=status,
                    ms=round(((end or perf_counter()) - begin) * 1000, 2),
                )


def given_id(scope: Scope) -> bytes | None:
    """Find the id that the client, or a proxy, gave a request, if it is safe to repeat."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value if REQUEST_ID(value) else None
    return None


def route_path(scope: Scope) -> str | None:
    """Find the path of the route that a request matched, such as `/api/v1/items/{id}`."""
    # an included router's routes know their prefix here only (FastAPI >= 0.137)
    context = scope.get("fastapi", {}).get("effective_route_context")
    path: str | None = getattr(context or scope.get("route"), "path", None)
    return path


def masked(path: str) -> str:
    """Write a path that no route has: no e-mail address, no control characters, not too long."""
    visible = re.sub("[^/]*@[^/]*", "*", path[:200])
    return quote(visible, safe="/*", errors="backslashreplace")


PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")


def as_json(start: Message, body: Message) -> None:
    """Give Starlette's plain errors (host, CORS, body size) the shape of all others."""
    if body.get("more_body"):
        return
    body["body"] = json.dumps({"detail": body["body"].decode()}).encode()
    changed = (b"content-type", b"content-length")
    start["headers"] = [
        *[header for header in start["headers"] if header[0] not in changed],
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body["body"])).encode()),
    ]
