"""Items: create, read, list, change and delete."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from sqlmodel import col, func, select

from app.api.deps import SessionDep
from app.api.errors import NOT_FOUND, Message
from app.models.item import Item, ItemCreate, ItemPublic, ItemsPublic, ItemUpdate

router = APIRouter(prefix="/items", tags=["items"])


async def get_item(session: SessionDep, id: UUID) -> Item:
    """Load the item that the path names, or answer 404."""
    item = await session.get(Item, id)
    if item is None:
        raise HTTPException(404, "Item not found")
    return item


ItemDep = Annotated[Item, Depends(get_item)]


@router.get("/")
async def read_items(
    session: SessionDep,
    skip: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=0, le=1000)] = 100,
) -> ItemsPublic:
    """List items, newest first."""
    count = (await session.exec(select(func.count()).select_from(Item))).one()
    newest_first = select(Item).order_by(col(Item.created_at).desc(), col(Item.id).desc())
    items = await session.exec(newest_first.offset(skip).limit(limit))
    return ItemsPublic(data=[ItemPublic.model_validate(item) for item in items], count=count)


@router.post("/")
async def create_item(session: SessionDep, body: ItemCreate) -> ItemPublic:
    """Create an item."""
    item = Item.model_validate(body)
    session.add(item)
    await session.commit()
    return ItemPublic.model_validate(item)


@router.get("/{id}", responses=NOT_FOUND)
async def read_item(item: ItemDep) -> ItemPublic:
    """Read one item."""
    return ItemPublic.model_validate(item)


@router.put("/{id}", responses=NOT_FOUND)
async def update_item(session: SessionDep, item: ItemDep, body: ItemUpdate) -> ItemPublic:
    """Change what the body names of an item."""
    changes = body.model_dump(exclude_unset=True)
    if changes.get("title") is None:
        changes.pop("title", None)
    item.sqlmodel_update(changes)
    await session.commit()
    return ItemPublic.model_validate(item)


@router.delete("/{id}", responses=NOT_FOUND)
async def delete_item(session: SessionDep, item: ItemDep) -> Message:
    """Delete an item."""
    await session.delete(item)
    await session.commit()
    return Message(message="Item deleted successfully")
