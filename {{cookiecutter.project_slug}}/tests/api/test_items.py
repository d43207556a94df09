from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient

pytestmark = pytest.mark.anyio

ITEMS = "/api/v1/items/"


async def create(client: AsyncClient, title: str = "Pen") -> dict[str, str]:
    response = await client.post(ITEMS, json={"title": title, "description": "Blue"})
    assert response.status_code == 200, response.text
    item: dict[str, str] = response.json()
    return item


async def test_create(client: AsyncClient) -> None:
    item = await create(client)
    assert item["title"] == "Pen"
    assert item["description"] == "Blue"
    assert UUID(item["id"]).version == 7
    assert item["created_at"].endswith("Z")


async def test_read(client: AsyncClient) -> None:
    item = await create(client)
    response = await client.get(ITEMS + item["id"])
    assert response.json() == item


async def test_list_is_counted_and_newest_first(client: AsyncClient) -> None:
    for title in "abc":
        await create(client, title)
    page = (await client.get(ITEMS, params={"skip": 1, "limit": 1})).json()
    assert page["count"] == 3
    assert [item["title"] for item in page["data"]] == ["b"]


async def test_update_changes_only_what_the_body_names(client: AsyncClient) -> None:
    item = await create(client)
    response = await client.put(ITEMS + item["id"], json={"title": None, "description": "Red"})
    assert response.json() == item | {"description": "Red"}
    response = await client.put(ITEMS + item["id"], json={"title": "Pencil"})
    assert response.json() == item | {"description": "Red", "title": "Pencil"}


async def test_delete(client: AsyncClient) -> None:
    item = await create(client)
    response = await client.delete(ITEMS + item["id"])
    assert response.json() == {"message": "Item deleted successfully"}
    assert (await client.get(ITEMS)).json() == {"data": [], "count": 0}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_unknown_item(client: AsyncClient, method: str) -> None:
    body = {"title": "Pen"} if method == "PUT" else None
    response = await client.request(method, f"{ITEMS}{uuid4()}", json=body)
    assert response.status_code == 404
    assert response.json() == {"detail": "Item not found"}


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "x" * 256}, {"title": None}])
async def test_create_refuses_a_bad_title(client: AsyncClient, body: dict[str, str]) -> None:
    response = await client.post(ITEMS, json=body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "title"]


@pytest.mark.parametrize("query", ["skip=-1", f"skip={2**64}", "limit=-1", "limit=1001"])
async def test_list_refuses_a_bad_page(client: AsyncClient, query: str) -> None:
    response = await client.get(f"{ITEMS}?{query}")
    assert response.status_code == 422
