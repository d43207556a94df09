"""Answers to what goes wrong outside the routes: all are `{"detail": ...}`, none shows input."""

from collections.abc import Callable
from sqlite3 import SQLITE_ERROR
from typing import Any

import structlog
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.api.errors import Error, Responses
from app.api.middleware import route_path

log = structlog.stdlib.get_logger(__name__)

RETRY_AFTER = "5"  # seconds

# What any operation may answer
ANY_OPERATION: Responses = {
    400: {"model": Error, "description": "Not understood"},
    413: {"model": Error, "description": "Too large"},
    503: {"model": Error, "description": "Not ready"},
}


def refused(*problems: dict[str, Any]) -> JSONResponse:
    """Answer 422 with where and why, as FastAPI documents it."""
    return JSONResponse({"detail": problems}, status_code=422)


async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Say what is wrong with a request, without repeating what it held: it may be a password."""
    return refused(
        *({key: problem[key] for key in ("loc", "msg", "type")} for problem in error.errors())
    )


async def not_storable(_request: Request, error: DataError | UnicodeEncodeError) -> JSONResponse:
    """Refuse a value that the database cannot hold, such as text with NUL or a lone surrogate.

    Raises:
        UnicodeEncodeError: It is not about a surrogate, so not about the request.
    """
    if isinstance(error, UnicodeEncodeError) and error.reason != "surrogates not allowed":
        raise error
    log.warning("value_not_storable", error=type(getattr(error, "orig", error)).__name__)
    return refused({"loc": [], "msg": "A value cannot be stored", "type": "not_storable"})


async def unavailable(_request: Request, error: DBAPIError | PoolTimeoutError) -> JSONResponse:
    """Answer 503 when the database is away or too busy, with one line in the log.

    Raises:
        DBAPIError: The statement is wrong, which no retry would help.
    """
    if isinstance(error, DBAPIError) and not is_away(error):
        raise error
    reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
    log.error("database_unavailable", error=reason)
    return JSONResponse(
        {"detail": "The database does not answer."}, 503, {"Retry-After": RETRY_AFTER}
    )


def is_away(error: DBAPIError) -> bool:
    """Tell a database that cannot answer now from a statement that is wrong."""
    if error.connection_invalidated:
        return True
    # SQLite has one class for both, and one code for wrong statements
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(error, OperationalError) and code != SQLITE_ERROR


async def not_allowed(request: Request, _error: HTTPException) -> JSONResponse:
    """Answer 405 with every method of the path; FastAPI names only those of the first route."""
    path = route_path(request.scope)
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path == path]
    methods = sorted({method for route in routes for method in route.methods or ()})
    headers = {"Allow": ", ".join(methods)} if methods else None
    return JSONResponse({"detail": "Method Not Allowed"}, 405, headers)


async def broken(_request: Request, _error: Exception) -> JSONResponse:
    """Answer 500; the server logs the traceback."""
    return JSONResponse({"detail": "Internal Server Error"}, status_code=500)


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[..., Any]] = {
    RequestValidationError: invalid,
    DataError: not_storable,
    UnicodeEncodeError: not_storable,
    DBAPIError: unavailable,
    PoolTimeoutError: unavailable,
    405: not_allowed,
    Exception: broken,
}
