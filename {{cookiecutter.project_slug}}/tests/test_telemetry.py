import json
import os
import subprocess
import sys

import pytest

from app.core.database_settings import ROOT

IMPORTED = """
import sys
from fastapi.testclient import TestClient
from app.main import app
with TestClient(app) as client:
    client.get("/nowhere")
print(*sys.modules)
"""
FAILING = """
import json, logging
import sentry_sdk.client, sentry_sdk.transport

class Memory(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        if event := envelope.get_event():  # sessions are none; git commits make Sentry send them
            print(json.dumps(event))

sentry_sdk.client.make_transport = Memory
from fastapi.testclient import TestClient
from pydantic import BaseModel
from app.main import app

class Login(BaseModel):
    password: str

@app.post("/fail/{email}")
async def fail(email: str, login: Login) -> None:
    copy = login.password
    raise RuntimeError("failed")

TestClient(app, raise_server_exceptions=False).post(
    "/fail/hidden@example.com?token=hidden",
    json={"password": "hidden"},
    headers={"Authorization": "Bearer hidden", "X-Token": "hidden", "Cookie": "a=hidden"},
)
"""


def run(code: str, **environment: str) -> str:
    """Run Python code beside the application and give what it prints."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env=os.environ | environment,
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "imported"),
    [
        ({}, set()),
        ({"SENTRY_DSN": "http://key@127.0.0.1:1/1"}, {"sentry_sdk"}),
        ({"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}, {"opentelemetry.sdk"}),
    ],
)
def test_what_is_off_is_not_imported(environment: dict[str, str], imported: set[str]) -> None:
    nowhere = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    modules = run(IMPORTED, **nowhere, **environment).split()
    assert {"sentry_sdk", "opentelemetry.sdk"} & set(modules) == imported


def test_sentry_is_told_the_failure_and_nothing_of_the_request() -> None:
    [text] = run(FAILING, SENTRY_DSN="http://key@127.0.0.1:1/1").splitlines()
    event = json.loads(text)
    assert event["exception"]["values"][-1]["value"] == "failed"
    assert event["transaction"] == "/fail/{email}"
    assert event["environment"] == "local"
    for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]:
        assert "vars" not in frame
    assert "hidden" not in text
