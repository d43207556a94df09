"""Logs: JSON lines outside local development, readable ones in it, from `logging` as well."""

import logging
import sys
from typing import TextIO, cast

import structlog
from opentelemetry import trace
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from app.core.config import Settings


class CurrentStderr:
    """Writes to what `sys.stderr` is at that moment: tests replace it, and close the former."""

    def write(self, text: str) -> None:
        """Write text."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """Pass on what was written."""
        sys.stderr.flush()


_stderr = CurrentStderr()
_handler = logging.StreamHandler(_stderr)  # one, so that configuring again writes no line twice


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the OpenTelemetry trace that a line belongs to, if there is one."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event


COMMON: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    add_trace,
    add_log_level,
    TimeStamper(fmt="iso", utc=True),
]
FROM_LOGGING: list[Processor] = [*COMMON, structlog.stdlib.add_logger_name]


def renderers(settings: Settings) -> list[Processor]:
    """Choose how a line is written; neither way shows local variables in tracebacks."""
    if settings.ENVIRONMENT != "local":
        return [format_exc_info, JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
        repr_native_str=True,  # control characters in a value do not reach the terminal
    )
    return [console]


def configure_logging(settings: Settings) -> None:
    """Send what `structlog` and `logging` are told, uvicorn's lines too, to stderr in one format.

    Handlers of others, such as pytest's, stay. uvicorn's access log is off: see `access_log()`.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *FROM_LOGGING,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=LoggerFactory(),
        wrapper_class=BoundLogger,
    )
    _handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=FROM_LOGGING,
            processors=[ProcessorFormatter.remove_processors_meta, *renderers(settings)],
        )
    )
    logging.getLogger().addHandler(_handler)
    logging.getLogger().setLevel(settings.LOG_LEVEL)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = name != "uvicorn.access"
    for name in ("httpx", "httpx2"):  # they log whole URLs
        logging.getLogger(name).setLevel(logging.WARNING)


def access_log(settings: Settings) -> FilteringBoundLogger:
    """Make the logger of requests, which writes by itself: a quarter of the time `logging` takes.

    Returns:
        A logger that drops what is below `LOG_LEVEL`.
    """
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _stderr)),
        processors=[*COMMON, *renderers(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(settings.LOG_LEVEL),
        cache_logger_on_first_use=True,
    ).bind()
    return logger
