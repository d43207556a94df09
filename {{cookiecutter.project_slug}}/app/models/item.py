"""Items: the table and its shapes in the API."""

from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7


class ItemBase(SQLModel):
    """What an item's author writes."""

    title: str = Field(min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=255)


class ItemCreate(ItemBase):
    """The body that creates an item."""


class ItemUpdate(SQLModel):
    """The body that changes an item: what it leaves out, or a `title` of null, stays."""

    title: str | None = Field(default=None, min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=255)


class Item(ItemBase, table=True):
    """An item as it is stored."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ItemPublic(ItemBase):
    """An item as the API shows it."""

    id: UUID
    created_at: datetime


class ItemsPublic(SQLModel):
    """One page of items, and how many there are in all."""

    data: list[ItemPublic]
    count: int
