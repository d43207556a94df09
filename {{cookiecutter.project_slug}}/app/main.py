{% from "strings.jinja" import python_string %}
"""The application, as a server imports it: `uvicorn app.main:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from app.api import health{{ ", private" if cookiecutter.auth }}
from app.api.error_handlers import ANY_OPERATION, EXCEPTION_HANDLERS
from app.api.middleware import is_probe, middleware_stack
{% if cookiecutter.auth %}
from app.api.rate_limit import RateLimiter
{% endif %}
from app.api.routes import routers
from app.core.config import Settings, settings
from app.core.db import create_engine
from app.core.draining import drain_on_sigterm
from app.core.logging import configure_logging
from app.core.sentry import start_sentry


def operation_id(route: APIRoute) -> str:
    """Name an operation `<tag>-<function>`, the form that generated clients turn into methods."""
    return "-".join([*map(str, route.tags[:1]), route.name])


def create_app(settings: Settings = settings) -> FastAPI:
    """Build the application.

    Args:
        settings: What to run with{{ '; tokens and mails always have the process\'s own' if cookiecutter.auth }}.

    Returns:
        An application that opens its database engine when it starts and closes it when it stops.
    """
    configure_logging(settings)
    start_sentry(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.engine = create_engine(settings.SQLALCHEMY_DATABASE_URI_ASYNC)
        if settings.ENVIRONMENT != "local":  # each reload would wait
            drain_on_sigterm(app, settings.DRAIN_SECONDS)
        yield
        await app.state.engine.dispose()

    # FastAPIOffline serves the documentation's scripts itself, where FastAPI links to a CDN
    app = FastAPIOffline(
        title=settings.PROJECT_NAME,
        description={{ python_string(cookiecutter.description) }},
        debug=settings.DEBUG,
        lifespan=lifespan,
        max_body_size=settings.MAX_BODY_SIZE,
        exception_handlers=EXCEPTION_HANDLERS,
        telemetry={"exclude": is_probe},
        generate_unique_id_function=operation_id,
    )
    app.state.stopping = False
    app.include_router(health.router)
    for router in routers:
        app.include_router(router, prefix="/api/v1", responses=ANY_OPERATION)
{% if cookiecutter.auth %}
    if settings.ENVIRONMENT == "local":
        app.include_router(private.router, prefix="/api/v1", responses=ANY_OPERATION)
    app.state.rate_limiter = RateLimiter(settings.RATE_LIMIT, settings.RATE_LIMIT_STORAGE)
{% endif %}
    app.middleware_stack = middleware_stack(app, settings)
    return app


app = create_app()
