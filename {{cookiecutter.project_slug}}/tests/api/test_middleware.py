import json
{% if cookiecutter.auth %}
from secrets import token_urlsafe
{% endif %}
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from httpx2 import AsyncClient

from app.core.config import Settings
from app.main import create_app

pytestmark = pytest.mark.anyio

{% if cookiecutter.auth %}
ELSEWHERE: dict[str, Any] = {"ENVIRONMENT": "production", "SECRET_KEY": token_urlsafe(32)}
{% else %}
ELSEWHERE: dict[str, Any] = {"ENVIRONMENT": "production"}
{% endif %}
EVERYWHERE = {"x-content-type-options", "x-frame-options", "referrer-policy", "x-request-id"}


def calling(app: FastAPI) -> TestClient:
    """Call an application whose failures are answers."""

    @app.get("/fail/{name}")
    async def fail(name: str) -> str:
        raise RuntimeError(name)

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("given", ["abc-1_2.X", "a" * 64])
async def test_a_safe_request_id_is_kept(client: AsyncClient, given: str) -> None:
    response = await client.get("/livez", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\tb", "<b>", "%0a", "é"])
async def test_any_other_request_id_is_replaced(client: AsyncClient, given: str) -> None:
    ids = set()
    for _ in range(2):
        response = await client.get("/livez", headers={b"X-Request-ID": given.encode()})
        ids.add(response.headers["X-Request-ID"])
    assert len(ids) == 2
    assert {len(id) for id in ids} == {32}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "detail"),
    [
        ("GET", "/livez", {}, 200, None),
        ("GET", "/nowhere", {}, 404, "Not Found"),
        ("PUT", "/livez", {}, 405, "Method Not Allowed"),
        ("GET", "/fail/x", {}, 500, "Internal Server Error"),
        ("GET", "/fail/x", {"Host": "evil.example"}, 400, "Invalid host header"),
        ("GET", "/livez", {"Content-Length": "5000000"}, 413, "Content Too Large"),
        ("POST", "/api/v1/items/", {"Content-Length": "5000000"}, 413, "Content Too Large"),
        (
            "OPTIONS",
            "/livez",
            {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"},
            400,
            "Disallowed CORS origin",
        ),
    ],
)
def test_every_answer_has_id_headers_and_shape(
    method: str, path: str, headers: dict[str, str], status: int, detail: str | None
) -> None:
    hosts = {"ALLOWED_HOSTS": "testserver", "CORS_ORIGINS": "https://app.example.com"}
    app = create_app(Settings(**ELSEWHERE | hosts))
    response = calling(app).request(method, path, headers=headers)
    assert response.status_code == status
    assert response.headers.keys() > EVERYWHERE
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" in response.headers
    assert len(response.content) == int(response.headers["Content-Length"])
    if detail:
        assert response.json() == {"detail": detail}


@pytest.mark.parametrize(
    "charset",
    [
        "charset=punycode",
        "charset=utf-8; charset=punycode",
        "Charset = punycode",
        "charset*=utf-8''punycode",
        "charset*0=puny; charset*1=code",
    ],
)
async def test_forms_in_any_codec_are_refused(client: AsyncClient, charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=x; {charset}"}
    response = await client.post("/livez", headers=headers)
    assert (response.status_code, response.json()) == (415, {"detail": "Send forms in UTF-8"})


@pytest.mark.parametrize("kind", ["", "; charset=utf-8", '; charset="UTF-8"; boundary=x'])
async def test_forms_in_utf_8_are_passed_on(client: AsyncClient, kind: str) -> None:
    response = await client.post("/livez", headers={"Content-Type": f"multipart/form-data{kind}"})
    assert response.status_code == 405


async def test_no_hsts_in_local_development(client: AsyncClient) -> None:
    assert "Strict-Transport-Security" not in (await client.get("/livez")).headers


def test_a_route_has_the_last_word() -> None:
    app = create_app()

    @app.get("/cached")
    async def cached(response: Response) -> str:
        response.headers["Cache-Control"] = "max-age=60"
        return ""

    response = TestClient(app).get("/cached")
    assert response.headers.get_list("Cache-Control") == ["max-age=60"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/static-offline-docs/swagger-ui.css"])
async def test_documentation_may_run_its_own_scripts_only(client: AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers.keys() > EVERYWHERE
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline'" in policy
    assert "http" not in policy
    assert "no-store" not in response.headers.get("Cache-Control", "")


def test_other_origins_see_answers_only_if_named() -> None:
    client = calling(create_app(Settings(CORS_ORIGINS="https://app.example.com")))
    for path in ("/livez", "/fail/x"):
        response = client.get(path, headers={"Origin": "https://app.example.com"})
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert response.headers["Access-Control-Expose-Headers"] == "X-Request-ID"
        response = client.get(path, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in response.headers


def test_debugging_shows_the_traceback() -> None:
    response = calling(create_app(Settings(DEBUG=True))).get("/fail/x")
    assert response.status_code == 500
    assert "Traceback" in response.text


@pytest.mark.parametrize(
    ("method", "path", "logged", "status"),
    [
        ("GET", "/fail/me@example.com?token=hidden", "/fail/{name}", 500),
        ("PUT", "/fail/me@example.com", "/fail/{name}", 405),
        ("GET", "/api/v1/items/hidden", "/api/v1/items/{id}", None),
        ("GET", "/nowhere/me@example.com/x?token=hidden", "/nowhere/*/x", 404),
        ("GET", "/nowhere/%0a%1b[2J%e2%80%a8", "/nowhere/%0A%1B%5B2J%E2%80%A8", 404),
        ("GET", "/" + "x" * 300, "/" + "x" * 199, 404),
    ],
)
def test_one_line_per_request(
    capsys: pytest.CaptureFixture[str], method: str, path: str, logged: str, status: int | None
) -> None:
    client = calling(create_app(Settings(**ELSEWHERE)))
    client.request(method, path, headers={"X-Request-ID": "abc"})
    [text] = capsys.readouterr().err.splitlines()
    line = json.loads(text)
    assert (line["method"], line["path"], line["request_id"]) == (method, logged, "abc")
    assert status in (None, line["status"])
    assert line["ms"] > 0
    assert "hidden" not in text
    assert "example.com" not in text


def test_one_line_in_local_development_too(capsys: pytest.CaptureFixture[str]) -> None:
    calling(create_app()).get("/nowhere/%0aforged")
    [line] = capsys.readouterr().err.splitlines()
    assert "path='/nowhere/%0Aforged'" in line


@pytest.mark.parametrize("settings", [{}, {"LOG_LEVEL": "WARNING"}])
def test_no_line_for_probes_or_below_the_level(
    capsys: pytest.CaptureFixture[str], settings: dict[str, Any]
) -> None:
    client = TestClient(create_app(Settings(**settings)))
    client.get("/livez")
    if settings:
        client.get("/nowhere")
    assert capsys.readouterr().err == ""
