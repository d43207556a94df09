"""Items: the table and its shapes in the API."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from app.core.types import Text

Title = Annotated[Text, Field(min_length=1, max_length=255)]
Description = Annotated[Text, Field(max_length=255)]


class Item(SQLModel, table=True):
    """An item as it is stored."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    title: str = Field(max_length=255)
    description: str | None = Field(default=None, max_length=255)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
{% if cookiecutter.auth %}
    owner_id: UUID = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
{% endif %}


class ItemCreate(BaseModel):
    """The body that creates an item."""

    title: Title
    description: Description | None = None


class ItemUpdate(BaseModel):
    """The body that changes an item: what it leaves out, or a `title` of null, stays."""

    title: Title | None = None
    description: Description | None = None


class ItemPublic(BaseModel, from_attributes=True):
    """An item as the API shows it."""

    id: UUID
    title: Title
    description: Description | None
    created_at: datetime
{% if cookiecutter.auth %}
    owner_id: UUID
{% endif %}


class ItemsPublic(BaseModel, from_attributes=True):
    """One page of items, and how many there are in all."""

    data: list[ItemPublic]
    count: int
