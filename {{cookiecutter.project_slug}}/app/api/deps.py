"""What routes ask FastAPI for."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession


async def get_session(request: Request) -> AsyncGenerator[AsyncSession]:
    """Open a database session for one request; what the route does not commit is rolled back."""
    session = AsyncSession(request.app.state.engine, expire_on_commit=False)
    try:
        yield session
    finally:
        # what the route wanted to keep is committed: a connection that is lost now does no harm
        with suppress(DBAPIError):
            await session.close()


# Closed before the answer and what comes after it: a mail that is slow to send keeps no connection
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]

# A page of a list: how many to leave out, and how many to give at most
Skip = Annotated[int, Query(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=0, le=1000)]
