"""How fast a generated service answers, beside `minimal_app.py`, which does the same by hand.

Both run as in production, on one PostgreSQL database, each in one process on the first core; the
clients are a process on the second. Only one of the two is asked at a time.
"""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import sqlalchemy as sa

from benchmarks.common import (
    ROOT,
    Row,
    Target,
    alembic,
    compare_figures,
    postgres_server,
    recreate_database,
    whole_project,
    workspace,
)
from benchmarks.load import HOST, Load
from tests.conftest import free_port, own_environment

ROUNDS = 15
SECONDS = 1.0  # that a rate is taken for
CONNECTIONS = 32
START_LIMIT = 60.0  # seconds
PASSWORD = "correct horse battery"
STARTED = "Application startup complete"

FAST = Target(0.8, ">=")
HEALTH = Target(0.9, ">=")
COLD_START = Target(1.2)
MEMORY = Target(1.15)


@dataclass(frozen=True)
class Asked:
    """What a client asks for."""

    path: str
    token: str = ""
    body: str = ""
    kind: str = "application/json"

    def headers(self) -> dict[str, str]:
        """Give the headers that a client must send."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return headers | ({"Content-Type": self.kind} if self.body else {})

    def raw(self) -> str:
        """Write the request as it goes over the wire."""
        headers = {"Host": HOST} | self.headers()
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Program:
    """What can be started: an application, and the environment it runs in."""

    project: Path  # whose packages it uses
    application: tuple[str, ...]  # arguments of uvicorn
    environment: dict[str, str]


@dataclass(frozen=True)
class Server:
    """A program that runs."""

    process: subprocess.Popen[bytes]
    port: int
    python: Path

    def ask(self, asked: Asked) -> bytes:
        """Ask once; return the body of the answer, which must be a success."""
        url = f"http://{HOST}:{self.port}{asked.path}"
        with urlopen(Request(url, asked.body.encode() or None, asked.headers())) as response:
            body: bytes = response.read()
        return body

    def rate(self, asked: Asked, core: int | None = 1, seconds: float = SECONDS) -> float:
        """Ask on many connections for a while; return how often per second it was answered.

        Args:
            asked: What to ask for.
            core: The core that the clients keep to; None for any.
            seconds: For how long.
        """
        load = Load(self.port, asked.raw(), len(self.ask(asked)), CONNECTIONS, seconds)
        done = subprocess.run(
            [self.python, ROOT / "benchmarks" / "load.py", json.dumps(asdict(load))],
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=None if core is None else partial(use_core, core),
        )
        return float(done.stdout)

    def memory(self) -> float:
        """Read how many MiB of memory the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Compare requests per second, what users cost, the start, and the memory.

    Args:
        rounds: How often each figure is taken.

    Returns:
        One row for each figure.
    """
    with workspace() as folder, postgres_server(folder) as server:
        urls = [recreate_database(server, f"bench_{answer}") for answer in ("yes", "no")]
        ours = service(folder / "yes", urls[0], auth="yes")
        without_users = service(folder / "no", urls[1], auth="no")
        beside = yardstick(ours)
        with running(ours) as one:
            tokens = register(one, "owner"), register(one, "other")
            execute(urls[0], *FILL)
            execute(urls[1], *FILL_WITHOUT_USERS)
            with running(beside) as other:
                rows = rates(one, other, tokens, urls[0], rounds)
            with running(without_users) as public:
                rows += costs_of_users(one, public, tokens[0], rounds)
        return rows + starts(ours, beside, rounds)


def rates(
    ours: Server, beside: Server, tokens: tuple[str, str], url: str, rounds: int
) -> list[Row]:
    """Compare requests per second, after comparing what is answered.

    Args:
        ours: The service.
        beside: The yardstick.
        tokens: Of the user who has the items, and of one who may create some.
        url: The database of both.
        rounds: How often each rate is taken.

    Returns:
        One row for each kind of request.
    """
    page, single = items(ours, tokens[0])
    new = Asked("/api/v1/items/", tokens[1], NEW_ITEM)
    rows = []
    for what, asked, target in (
        ("list of 100 items", page, FAST),
        ("single read", single, FAST),
        ("create", new, FAST),
        ("health", Asked("/livez"), HEALTH),
    ):
        answers = [json.loads(server.ask(asked)) for server in (ours, beside)]
        if asked is new:
            answers = [sorted(answer) for answer in answers]
        assert answers[0] == answers[1], answers
        row = compare_figures(
            f"{what} (beside: a minimal app)",
            partial(ours.rate, asked),
            partial(beside.rate, asked),
            pairs=rounds,
            form="{:.0f}/s",
            target=target,
            tidy=partial(execute, url, *TIDY if asked is new else ()),
        )
        rows.append(row)
    return rows


def costs_of_users(ours: Server, public: Server, token: str, rounds: int) -> list[Row]:
    """Compare a service that has users with one that has not, on equally many items.

    Args:
        ours: The service with users.
        public: The service without.
        token: Of the user who has the items.
        rounds: How often each rate is taken.

    Returns:
        One row for each kind of request.
    """
    whats = ("list of 100 items", "single read")
    pairs = zip(whats, items(ours, token), items(public, ""), strict=True)
    return [
        compare_figures(
            f"what users cost: {what} (beside: auth=no)",
            partial(ours.rate, asked),
            partial(public.rate, asked_publicly),
            pairs=rounds,
            form="{:.0f}/s",
            target=None,
        )
        for what, asked, asked_publicly in pairs
    ]


def starts(ours: Program, beside: Program, rounds: int) -> list[Row]:
    """Compare the time from the start of the process to the first answer, and its memory then."""
    memory: dict[str, list[float]] = {"ours": [], "beside": []}

    def start(program: Program, name: str) -> float:
        started = time.perf_counter()
        with running(program) as server:
            elapsed = time.perf_counter() - started
            memory[name].append(server.memory())
        return elapsed

    cold_start = compare_figures(
        "cold start to the first 200 of /livez (beside: a minimal app)",
        partial(start, ours, "ours"),
        partial(start, beside, "beside"),
        pairs=rounds,
        form="{:.2f} s",
        target=COLD_START,
    )
    size = compare_figures(
        "memory after the start (beside: a minimal app)",
        iter(memory["ours"]).__next__,
        iter(memory["beside"]).__next__,
        pairs=rounds,
        form="{:.0f} MiB",
        target=MEMORY,
    )
    return [cold_start, size]


def service(folder: Path, url: str, auth: str) -> Program:
    """Generate a service and migrate its database.

    Args:
        folder: Where to work; it is made.
        url: An empty PostgreSQL database.
        auth: The answer to `auth`.

    Returns:
        The service as in production.
    """
    folder.mkdir()
    project = whole_project(folder, "database=postgresql", f"auth={auth}", production=True)
    alembic(project, "upgrade", "head", url=url)
    environment = {
        "DATABASE_URL": url,
        "ENVIRONMENT": "production",
        "DRAIN_SECONDS": "0",
        "SECRET_KEY": secrets.token_urlsafe(32),
    }
    return Program(project, ("app.main:app",), environment)


def yardstick(ours: Program) -> Program:
    """Make the minimal app run beside a service: same packages, database, key and pool."""
    size, overflow = pool_of(ours)
    environment = ours.environment | {"POOL_SIZE": str(size), "MAX_OVERFLOW": str(overflow)}
    application = ("--app-dir", str(ROOT / "benchmarks"), "minimal_app:app")
    return Program(ours.project, application, environment)


def pool_of(program: Program) -> tuple[int, int]:
    """Read how many connections a service's engine keeps, and how many more it may open."""
    python = program.project / ".venv" / "bin" / "python"
    variables = own_environment() | program.environment
    shown = subprocess.check_output([python, "-c", PRINT_POOL], cwd=program.project, env=variables)
    size, overflow = map(int, shown.split())
    return size, overflow


@contextmanager
def running(program: Program, workers: int | None = None) -> Iterator[Server]:
    """Run a program, with its access log in a file, until the block ends.

    Args:
        program: What to run.
        workers: In how many processes, on any core; None for one on the first core.

    Yields:
        The server, which has answered /livez.
    """
    port, bin_folder = free_port(), program.project / ".venv" / "bin"
    options = ("--host", HOST, "--port", str(port), "--workers", str(workers or 1))
    path = program.project / f"{program.application[-1]}.{port}.log"
    with (
        path.open("wb") as log,
        subprocess.Popen(
            [bin_folder / "uvicorn", *options, *program.application],
            cwd=program.project,
            env=own_environment() | program.environment,
            stdout=log,
            stderr=log,
            preexec_fn=None if workers else partial(use_core, 0),
        ) as process,
    ):
        try:
            started = wait(process, port) and all_started(path, workers or 0)
            assert started, path.read_text(encoding="utf-8")
            yield Server(process, port, bin_folder / "python")
        finally:
            process.terminate()


def wait(process: subprocess.Popen[bytes], port: int) -> bool:
    """Ask for /livez as soon as the server listens; tell whether it answered 200."""
    limit = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < limit:
        try:
            connection = socket.create_connection((HOST, port), START_LIMIT)
        except ConnectionRefusedError:
            time.sleep(0.002)
            continue
        with connection:
            connection.sendall(Asked("/livez").raw().encode())
            return connection.recv(1024).startswith(b"HTTP/1.1 200 ")
    return False


def all_started(log: Path, workers: int) -> bool:
    """Wait for as many workers as should be there to say that they have started."""
    limit = time.monotonic() + START_LIMIT
    while log.read_text(encoding="utf-8").count(STARTED) < workers:
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


def use_core(number: int) -> None:
    """Keep this process to one core, where the system can and there is more than one."""
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[number]})


def register(server: Server, name: str) -> str:
    """Sign a user up and log in; return the token."""
    email = f"{name}@example.com"
    user = {"email": email, "password": PASSWORD}
    server.ask(Asked("/api/v1/users/signup", body=json.dumps(user)))
    form = urlencode({"username": email, "password": PASSWORD})
    kind = "application/x-www-form-urlencoded"
    answer = json.loads(server.ask(Asked("/api/v1/login/access-token", body=form, kind=kind)))
    return str(answer["access_token"])


def items(server: Server, token: str) -> tuple[Asked, Asked]:
    """Ask for a list of 100 items; return that request, and the one for the first of them."""
    page = Asked("/api/v1/items/?limit=100", token)
    first = json.loads(server.ask(page))["data"][0]
    return page, Asked(f"/api/v1/items/{first['id']}", token)


def execute(url: str, *statements: str) -> None:
    """Execute statements in a database, each in a transaction of its own."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


NEW_ITEM = json.dumps({"title": "A new item", "description": "What there is to say about it"})

INSERT = """
INSERT INTO item (id, title, description, created_at {column})
SELECT gen_random_uuid(), 'Item ' || n, 'What there is to say about it',
    now() - n * interval '1 second' {value}
FROM generate_series(1, {count}) AS n
"""
OWNER = """, (SELECT id FROM "user" WHERE email = '{}@example.com')"""
FILL = (
    INSERT.format(column=", owner_id", value=OWNER.format("owner"), count=1000),
    INSERT.format(column=", owner_id", value=OWNER.format("other"), count=200),
    "VACUUM ANALYZE",
)
FILL_WITHOUT_USERS = (INSERT.format(column="", value="", count=1000), "VACUUM ANALYZE")
TIDY = ("DELETE FROM item WHERE title = 'A new item'", "VACUUM ANALYZE item")

PRINT_POOL = """
from app.core.config import settings
from app.core.db import create_engine
pool = create_engine(settings.SQLALCHEMY_DATABASE_URI_ASYNC).pool
print(pool.size(), pool._max_overflow)
"""
