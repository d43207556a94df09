import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from io import StringIO
from pathlib import Path
{% if cookiecutter.auth %}
from secrets import token_urlsafe
{% endif %}
from socket import socket
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from httpx2 import HTTPError, get

from app.core import logging as module
from app.core.config import Settings
from app.core.database_settings import ROOT
from app.main import create_app

PATIENCE = 60  # seconds that a loaded machine may take to start a server
{% if cookiecutter.auth %}
ELSEWHERE: dict[str, Any] = {"ENVIRONMENT": "production", "SECRET_KEY": token_urlsafe(32)}
{% else %}
ELSEWHERE: dict[str, Any] = {"ENVIRONMENT": "production"}
{% endif %}

Configure = Callable[[dict[str, Any]], StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Generator[Configure]:
    """Configure logging with some settings, and give what is written; afterwards, undo it."""
    written = StringIO()

    def configure(settings: dict[str, Any]) -> StringIO:
        monkeypatch.setattr(module._handler, "stream", written)
        module.configure_logging(Settings(**settings))
        return written

    yield configure
    module.configure_logging(Settings())


def test_both_kinds_of_loggers_write_json(configure: Configure) -> None:
    written = configure(ELSEWHERE)
    structlog.stdlib.get_logger("shop").info("sold", item="Pen\nforged")
    logging.getLogger("shop").warning("No %s\nforged", "pens")
    sold, gone = map(json.loads, written.getvalue().splitlines())
    assert (sold["event"], sold["item"], sold["level"]) == ("sold", "Pen\nforged", "info")
    assert (gone["event"], gone["logger"], gone["level"]) == ("No pens\nforged", "shop", "warning")
    assert sold["timestamp"].endswith("Z")


def test_local_lines_are_readable_and_cannot_be_forged(configure: Configure) -> None:
    written = configure({})
    structlog.stdlib.get_logger("shop").info("sold", item="Pen\x1b[2J\nforged", other="\x1b[2J")
    [line] = written.getvalue().splitlines()
    assert r"item='Pen\x1b[2J\nforged'" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("settings", [{}, ELSEWHERE])
def test_tracebacks_do_not_show_variables(configure: Configure, settings: dict[str, Any]) -> None:
    written = configure(settings)
    password = "hid" + "den"
    try:
        raise RuntimeError(f"no {len(password)}")
    except RuntimeError:
        structlog.stdlib.get_logger("shop").exception("failed")
        logging.getLogger("shop").exception("failed")
    assert written.getvalue().count("RuntimeError: no 6") == 2
    assert "hidden" not in written.getvalue()


def test_the_level_is_the_settings(configure: Configure) -> None:
    written = configure({"LOG_LEVEL": "WARNING"})
    for logger in (structlog.stdlib.get_logger("shop"), logging.getLogger("uvicorn.error")):
        logger.info("quiet")
        logger.warning("loud")
    assert len(written.getvalue().splitlines()) == 2


def test_urls_of_outgoing_calls_are_not_logged(configure: Configure) -> None:
    written = configure({})
    TestClient(create_app()).get("/livez?token=hidden")
    assert written.getvalue() == ""


def test_lines_are_not_written_twice(configure: Configure) -> None:
    configure({})
    written = configure({})
    logging.getLogger("shop").warning("once")
    assert len(written.getvalue().splitlines()) == 1


def test_tests_can_capture_what_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    create_app()
    structlog.stdlib.get_logger("shop").warning("sold")
    logging.getLogger("shop").warning("gone")
    assert len(caplog.records) == 2


def test_migrations_do_not_configure_it() -> None:
    code = "import sys, app.models, app.core.migrations; sys.exit('structlog' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # noqa: S603


FAILING = """
from app.main import app

@app.get("/fail")
async def fail() -> None:
    raise RuntimeError("failed")
"""


def test_the_server_logs_json_and_a_failure_once(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "DRAIN_SECONDS": "0"}
    environment = os.environ | ELSEWHERE | own
    server = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "uvicorn", "failing:app", "--port", str(port)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                get(f"http://127.0.0.1:{port}/livez")
                break
            except HTTPError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.1)
        assert get(f"http://127.0.0.1:{port}/fail", headers={"X-Request-ID": "abc"}).is_error
    finally:
        server.terminate()
        written, _ = server.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in written.splitlines()]
    request, failure = (line for line in lines if line.get("request_id") == "abc")
    assert (request["path"], request["status"]) == ("/fail", 500)
    assert "RuntimeError: failed" in failure["exception"]
    assert written.count("RuntimeError: failed") == 1
