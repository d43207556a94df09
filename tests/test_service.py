"""A generated project as its owner uses it: `make run`, a browser, `make test`."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from tests.conftest import (
    Bake,
    every_database,
    free_port,
    own_environment,
    own_poetry,
    run,
    wait_for,
)
from tests.hazards import in_project

# The time that a loaded machine may take; nothing is measured with it
PATIENCE = 60.0


@contextmanager
def served(project: Path) -> Generator[str]:
    """Run `make run` until the service is ready, and stop it like Ctrl-C does."""
    port = free_port()
    process = subprocess.Popen(
        ["make", f"POETRY={own_poetry()}", "run"],
        cwd=project,
        env=own_environment() | {"UVICORN_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/readyz", process, PATIENCE)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in said, said


@contextmanager
def browser_page() -> Generator[Page]:
    """Open a page in Chromium: the machine's, else Playwright's own."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
            )
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no browser here, install chromium: {error.message.splitlines()[0]}")
        yield browser.new_page()
        browser.close()


@every_database
def test_make_run_serves_a_migrated_service_with_its_docs(installed: Bake, database: str) -> None:
    project = installed(database=database)
    with served(project) as url:
        request = Request(
            f"{url}/api/v1/items/",
            data=json.dumps({"title": "Pen"}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request) as response:
            assert json.load(response)["title"] == "Pen"
        with browser_page() as page:
            failed: list[str] = []
            page.on("requestfailed", lambda request: failed.append(request.url))
            page.goto(f"{url}/docs")
            expect(page.get_by_role("heading", name="My Service")).to_be_visible()
            page.locator("#operations-items-items-read_items").click()
            page.get_by_role("button", name="Try it out").click()
            page.get_by_role("button", name="Execute").click()
            expect(page.locator(".live-responses-table")).to_contain_text('"title": "Pen"')
            assert not failed
    if database == "postgresql":
        run("make", f"POETRY={own_poetry()}", "stop", cwd=project)


@pytest.mark.hazard
@every_database
@pytest.mark.parametrize("auth", [True, False])
def test_its_own_tests_and_lint_pass(
    installed: Bake,
    database: str,
    auth: bool,
    tmp_path: Path,
    record_property: Callable[[str, tuple[str, ...]], None],
) -> None:
    project = installed(database=database, auth=auth)
    report = tmp_path / "report.xml"
    for verb in ("test", "lint"):
        options = f"--junitxml={report}"
        run("make", f"POETRY={own_poetry()}", verb, cwd=project, CI="true", PYTEST_ADDOPTS=options)
    passed = {
        f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name'].split('[')[0]}"
        for case in ElementTree.parse(report).iter("testcase")
        if not len(case)
    }
    for proof in in_project(database):
        assert proof.test.replace("project: ", "tests/") in passed
        record_property("hazard", tuple(proof))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://me:hidden@db/shop", "It must start with sqlite:/// or postgresql://"),
        ("postgresql://me:hidden@db:port/shop", "It must look like"),
        ("sqlite:////no/such/folder/app.db", "unable to open database file"),
        ("postgresql://me:hidden@127.0.0.1:1/shop", "the revisions of this project are for sqlite"),
    ],
)
def test_make_run_says_what_is_wrong_with_the_url(installed: Bake, url: str, reason: str) -> None:
    project = installed()
    (project / ".env").write_text(f"DATABASE_URL={url}\n")
    said = run("make", f"POETRY={own_poetry()}", "run", cwd=project, status=2).stdout
    assert "DATABASE_URL" in said
    assert reason in said
    assert "Traceback" not in said
    assert "hidden" not in said


def test_make_run_says_that_the_server_is_away(installed: Bake) -> None:
    project = installed(database="postgresql")
    (project / ".env").write_text("DATABASE_URL=postgresql://me:hidden@127.0.0.1:1/shop\n")
    said = run("make", f"POETRY={own_poetry()}", "run", cwd=project, status=2).stdout
    assert "DATABASE_URL: cannot connect to postgresql+psycopg://me:***@127.0.0.1:1/shop" in said
    assert "Connection refused" in said
    assert "Traceback" not in said
    assert "hidden" not in said
    assert not (project / ".postgres").exists()
