import os
from collections.abc import AsyncGenerator

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlmodel.ext.asyncio.session import AsyncSession

# The configured database is not for tests: whatever connects to it by mistake fails.
{% if cookiecutter.database == 'sqlite' %}
os.environ["DATABASE_URL"] = "sqlite:////no/such/folder/app.db"
{% else %}
os.environ["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
{% endif %}

from app.api.deps import get_session
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
