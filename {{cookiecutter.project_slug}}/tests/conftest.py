import os
import threading
import time
from collections.abc import AsyncGenerator, Generator

import pytest
import uvicorn
from httpx2 import ASGITransport, AsyncClient
from sqlmodel.ext.asyncio.session import AsyncSession

# The configured database is not for tests: whatever connects to it by mistake fails.
{% if cookiecutter.database == 'sqlite' %}
os.environ["DATABASE_URL"] = "sqlite:////no/such/folder/app.db"
{% else %}
os.environ["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
{% endif %}
{% if cookiecutter.auth %}
os.environ["RATE_LIMIT"] = "100000/minute"
{% endif %}

from app.api.deps import get_session
from app.core.config import settings
from app.core.database_settings import parse_database_url
from app.core.migrations import upgrade
from app.main import create_app

{% if cookiecutter.auth %}
pytest_plugins = ["tests.database", "tests.users"]
{% else %}
pytest_plugins = ["tests.database"]
{% endif %}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture
async def client(session: AsyncSession) -> AsyncGenerator[AsyncClient]:
    """Call the application in-process, on this test's database session."""
    app = create_app()
    app.dependency_overrides[get_session] = lambda: session
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
def live_url(empty_url: str) -> Generator[str]:
    """Serve the application over HTTP, on a migrated database of its own."""
    upgrade(empty_url)
    app = create_app(settings.model_copy(update={"DATABASE_URL": parse_database_url(empty_url)}))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "The server did not start."
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()
