import asyncio
import signal
from collections.abc import Generator
from types import FrameType

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlmodel.ext.asyncio.session import AsyncSession

from app.api.deps import get_session
from app.core.draining import drain_on_sigterm
from app.main import create_app

pytestmark = pytest.mark.anyio


@pytest.fixture
def stopped() -> Generator[asyncio.Event]:
    """Take the part of the server, which is told to stop by SIGTERM."""
    stopped = asyncio.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = signal.signal(signal.SIGTERM, stop)
    yield stopped
    signal.signal(signal.SIGTERM, before)


async def test_a_service_that_stops_is_not_ready_and_still_answers(
    stopped: asyncio.Event, session: AsyncSession
) -> None:
    app = create_app()
    app.dependency_overrides[get_session] = lambda: session
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        drain_on_sigterm(app, seconds=0.1)
        response = await client.get("/readyz")
        assert (response.status_code, response.headers.get("connection")) == (200, None)
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
            response = await client.get("/readyz")
            assert (response.status_code, response.json()) == (
                503,
                {"detail": "The service is stopping."},
            )
            response = await client.get("/livez")
            assert (response.status_code, response.headers["connection"]) == (200, "close")
        assert not stopped.is_set()
        async with asyncio.timeout(10):
            await stopped.wait()


async def test_without_a_server_the_signal_stays_as_it_is() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    drain_on_sigterm(create_app(), seconds=1)
    assert signal.signal(signal.SIGTERM, before) == signal.SIG_IGN
