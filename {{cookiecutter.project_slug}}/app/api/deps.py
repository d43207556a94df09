"""What routes ask FastAPI for."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlmodel.ext.asyncio.session import AsyncSession


async def get_session(request: Request) -> AsyncGenerator[AsyncSession]:
{% if cookiecutter.database == 'postgresql' %}
    """Open a database session for one request; what the route does not commit is rolled back.

    A GET changes nothing (RFC 9110, section 9.2.1): its statements run without a transaction, which
    would be as many round trips again.
    """
    state = request.app.state
    engine = state.reader if request.method == "GET" else state.engine
    async with AsyncSession(engine, expire_on_commit=False) as session:
        yield session
{% else %}
    """Open a database session for one request; what the route does not commit is rolled back."""
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session:
        yield session
{% endif %}


SessionDep = Annotated[AsyncSession, Depends(get_session)]

# A page of a list: how many to leave out, and how many to give at most
Skip = Annotated[int, Query(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=0, le=1000)]
