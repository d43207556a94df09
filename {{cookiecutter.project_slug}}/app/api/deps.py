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
        # the answer is sent: an error would only end the connection under the client's next request
        with suppress(DBAPIError):
            await session.close()


SessionDep = Annotated[AsyncSession, Depends(get_session)]

# A page of a list: how many to leave out, and how many to give at most
Skip = Annotated[int, Query(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=0, le=1000)]
