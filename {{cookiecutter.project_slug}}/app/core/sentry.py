"""Reports of errors to Sentry, for services that have a `SENTRY_DSN`."""

from typing import TYPE_CHECKING, Any

from app.core.config import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event


def start_sentry(settings: Settings) -> None:
    """Report errors from now on; without `SENTRY_DSN`, not even Sentry's package is imported."""
    if settings.SENTRY_DSN is None:
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.ENVIRONMENT,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=drop_request,
    )


def drop_request(event: "Event", _hint: dict[str, Any]) -> "Event":
    """Leave out the URL, whose path or query may name a person, and the headers.

    The transaction's name still says which route it was.
    """
    event.pop("request", None)
    return event
