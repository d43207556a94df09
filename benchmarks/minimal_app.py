"""The yardstick of `benchmarks.service`: the least that serves the same, written for speed.

FastAPI and SQLAlchemy Core, on the tables of a generated project with users, and nothing else: no
settings, models of tables, sessions, middleware or documentation of errors. It answers with the
same JSON, after the same checks and in as many transactions. Run by `uvicorn minimal_app:app`, with
`DATABASE_URL` and `SECRET_KEY` in the environment.
"""

import hashlib
import os
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import sqlalchemy as sa
from fastapi import FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from typing_extensions import TypedDict
from uuid_utils.compat import uuid7

SECRET_KEY = os.environ["SECRET_KEY"]

USER = sa.table(
    "user",
    sa.column("id", sa.Uuid),
    sa.column("hashed_password", sa.String),
    sa.column("is_active", sa.Boolean),
    sa.column("is_superuser", sa.Boolean),
)
ITEM = sa.table(
    "item",
    sa.column("id", sa.Uuid),
    sa.column("title", sa.String),
    sa.column("description", sa.String),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("owner_id", sa.Uuid),
)
COUNT = sa.select(sa.func.count()).select_from(ITEM)
PAGE = sa.select(ITEM).order_by(ITEM.c.created_at.desc(), ITEM.c.id.desc())


class ItemCreate(BaseModel):
    """The body that creates an item."""

    title: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
    description: Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")] | None = None


class Item(TypedDict):
    """An item, for the serialiser only: what the database gives needs no validation."""

    id: UUID
    title: str
    description: str | None
    created_at: datetime
    owner_id: UUID


class Items(TypedDict):
    """One page of items, and how many there are in all."""

    data: list[Item]
    count: int


ITEM_JSON = TypeAdapter(Item)
ITEMS_JSON = TypeAdapter(Items)

app = FastAPI()
engine = create_async_engine(
    os.environ["DATABASE_URL"],
    pool_size=int(os.environ.get("POOL_SIZE", "5")),
    max_overflow=int(os.environ.get("MAX_OVERFLOW", "10")),
)


def answer(adapter: TypeAdapter[Any], value: object) -> Response:
    """Serialise once, without validation."""
    return Response(adapter.dump_json(value), media_type="application/json")


async def current_user(connection: AsyncConnection, request: Request) -> sa.Row[Any]:
    """Check the request's token and read the row of its user, or answer 400, 401, 403 or 404."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(token, SECRET_KEY, ["HS256"], audience="access")
        user_id = UUID(claims["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise HTTPException(403, "Could not validate credentials") from None
    user = (await connection.execute(sa.select(USER).where(USER.c.id == user_id))).first()
    if user is None:
        raise HTTPException(404, "User not found")
    if not user.is_active:
        raise HTTPException(400, "Inactive user")
    if claims.get("pwd") != hashlib.sha256(user.hashed_password.encode()).hexdigest()[:16]:
        raise HTTPException(403, "Could not validate credentials")
    return user


@app.get("/livez")
async def livez() -> Response:
    """Say that the process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@app.get("/api/v1/items/")
async def read_items(
    request: Request,
    skip: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=0, le=1000)] = 100,
) -> Response:
    """List the user's items, newest first."""
    async with engine.connect() as connection:
        user = await current_user(connection, request)
        visible = () if user.is_superuser else (ITEM.c.owner_id == user.id,)
        count = await connection.scalar(COUNT.where(*visible))
        page = await connection.execute(PAGE.where(*visible).offset(skip).limit(limit))
    return answer(ITEMS_JSON, {"data": [row._asdict() for row in page], "count": count})


@app.get("/api/v1/items/{id}")
async def read_item(request: Request, id: UUID) -> Response:
    """Read one item of the user."""
    async with engine.connect() as connection:
        user = await current_user(connection, request)
        item = (await connection.execute(sa.select(ITEM).where(ITEM.c.id == id))).first()
    if item is None:
        raise HTTPException(404, "Item not found")
    if item.owner_id != user.id and not user.is_superuser:
        raise HTTPException(403, "Not enough permissions")
    return answer(ITEM_JSON, item._asdict())


@app.post("/api/v1/items/")
async def create_item(request: Request, body: ItemCreate) -> Response:
    """Create an item of the user."""
    async with engine.connect() as connection:
        user = await current_user(connection, request)
        item = {
            "id": uuid7(),
            "title": body.title,
            "description": body.description,
            "created_at": datetime.now(UTC),
            "owner_id": user.id,
        }
        await connection.execute(sa.insert(ITEM), item)
        await connection.commit()
    return answer(ITEM_JSON, item)
