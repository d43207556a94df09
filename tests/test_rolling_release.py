"""A release with migrations loses no request and no row, behind a load balancer."""

import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from benchmarks.service import Server, register
from tests.conftest import Bake, every_database, free_port, wait_for
from tests.replicas import PATIENCE, Client, Replica, load, replica
from tests.test_migrations import alembic, tables
from tests.test_revisions import sql, write_revision

# The columns that the code of each release has, and the one that it reads
COLUMNS = [["motto"], ["motto", "slogan"], ["motto", "slogan"], ["slogan"], ["slogan"]]
READS = ["motto", "motto", "slogan", "slogan", "slogan"]
HERO_TABLE = """\
op.create_table(
        "hero",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("motto", sa.String(), nullable=False),
    )"""
MODEL = """
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel


class Hero(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
"""
ROUTES = """
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body
from sqlmodel import select

from app.api.deps import SessionDep
from app.models.hero import Hero

Motto = Annotated[str, Body(embed=True)]
router = APIRouter(prefix="/heroes")


@router.post("/")
async def create(session: SessionDep, motto: Motto) -> str:
    hero = Hero(**dict.fromkeys({columns}, motto))
    session.add(hero)
    await session.commit()
    return str(hero.id)


@router.put("/{{id}}")
async def update(session: SessionDep, id: UUID, motto: Motto) -> str:
    hero = (await session.exec(select(Hero).where(Hero.id == id))).one()
    hero.sqlmodel_update(dict.fromkeys({columns}, motto))
    await session.commit()
    return str(hero.id)


@router.get("/{{id}}")
async def read(session: SessionDep, id: UUID) -> str | None:
    hero = (await session.exec(select(Hero).where(Hero.id == id))).one()
    return hero.{reads}
"""


def write_code(project: Path, release: int) -> None:
    """Write the code of a release: heroes whose motto is one column or two."""
    columns = "".join(f"    {name}: str | None = None\n" for name in COLUMNS[release])
    (project / "app" / "models" / "hero.py").write_text(f"{MODEL.lstrip()}{columns}")
    routes = ROUTES.lstrip().format(columns=COLUMNS[release], reads=READS[release])
    (project / "app" / "api" / "routes" / "heroes.py").write_text(routes)


def recipes(project: Path) -> list[str]:
    """Take the revisions of the releases from the project's documentation."""
    readme = (project / "migrations" / "README").read_text()
    section = readme.partition("To rename hero.motto to slogan:")[2]
    found = re.findall(r"^\d\. [^\n]*(?:\n[^\n]+)*\n\n((?: {7}[^\n]*\n)+)", section, re.MULTILINE)
    return [re.sub(r"\n {7}", "\n    ", text.strip()) for text in found]


def releases(project: Path, folder: Path) -> list[Path]:
    """Make a folder for each release: the project with its code, and the revisions up to it."""
    steps = [HERO_TABLE, *recipes(project)]
    assert len(steps) == len(COLUMNS)
    made = []
    for number, step in enumerate(steps):
        write_code(project, number)
        write_revision(project, f"release{number}", step)
        made.append(shutil.copytree(project, folder / f"release{number}", symlinks=True))
    return made


@contextmanager
def haproxy(project: Path, folder: Path, replicas: list[Replica]) -> Generator[int]:
    """Run HAProxy as the documentation sets it up, with quicker checks; give its port."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        assert not os.environ.get("CI"), "haproxy is not installed"
        pytest.skip("no haproxy here")
    readme = (project / "migrations" / "README").read_text()
    documented = re.search(r"^    defaults\n.*?(?=^\S)", readme, re.MULTILINE | re.DOTALL)
    assert documented
    port = free_port()
    config = documented[0].replace("bind :80", f"bind 127.0.0.1:{port}")
    for server, one in zip(("10.0.0.1:8000", "10.0.0.2:8000"), replicas, strict=True):
        assert server in config
        config = config.replace(server, f"127.0.0.1:{one.port}")
    assert "inter 1s" in config
    file = folder / "haproxy.cfg"
    file.write_text(config.replace("inter 1s", "inter 100ms"))
    with subprocess.Popen([program, "-q", "-db", "-f", file], text=True) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", process, PATIENCE)
            yield port
        finally:
            process.kill()


@every_database
def test_replicas_wait_for_the_migration(installed: Bake, database: str, database_url: str) -> None:
    project = installed(database=database)
    with replica(project, database_url) as one, replica(project, database_url) as two:
        for each in (one, two):
            each.alive()
            answer = each.ask("GET", "/readyz")
            needed = (project / "migrations" / "HEAD").read_text().strip()
            said = f"The database is at no revision, this code needs {needed}."
            assert (answer.status, answer.body) == (503, {"detail": said})
        assert tables(project, database_url) == set()  # nobody migrated by the way
        alembic(project, database_url, "upgrade", "head")
        for each in (one, two):
            assert each.ask("GET", "/readyz").status == 200
            assert each.ask("GET", "/api/v1/items/").body == {"data": [], "count": 0}


def heroes(port: int, name: str, kept: dict[str, str]) -> Iterator[None]:
    """Create heroes, change and read them; keep what was answered 200."""
    with Client(port) as client:

        def ask(method: str, path: str, body: object = None) -> str:
            answer = client.ask(method, f"/api/v1/heroes/{path}", body)
            assert answer.status == 200, answer
            return str(answer.body)

        for number in count():
            motto = f"{name} {number}"
            hero = ask("POST", "", {"motto": motto})
            kept[hero] = motto
            yield
            assert ask("GET", hero) == motto
            yield
            ask("PUT", hero, {"motto": f"{motto}, again"})
            kept[hero] += ", again"
            yield
            assert ask("GET", hero) == kept[hero]
            yield


def items(port: int, token: str, kept: list[str]) -> Iterator[None]:
    """Create items of a user and read them, which no release changes."""
    with Client(port, token) as client:
        for number in count():
            created = client.ask("POST", "/api/v1/items/", {"title": f"Item {number}"})
            assert created.status == 200, created
            kept.append(created.body["id"])
            yield
            read = client.ask("GET", f"/api/v1/items/{created.body['id']}")
            assert read.body == created.body
            yield


@pytest.mark.parametrize("database", ["postgresql"])
def test_a_rename_in_four_releases_loses_no_request_and_no_row(
    installed: Bake, database_url: str, tmp_path: Path
) -> None:
    project = installed(database="postgresql", auth=True)
    first, *later = releases(project, tmp_path)
    alembic(first, database_url, "upgrade", "head")
    readme = (project / "migrations" / "README").read_text()
    [options] = re.findall("uvicorn app.main:app (--.*)", readme)
    start = partial(replica, url=database_url, options=options.split())
    mottos: dict[str, str] = {}
    titles: list[str] = []
    with ExitStack() as stack:
        fleet = [stack.enter_context(start(first)) for _ in range(2)]
        for each in fleet:
            each.ready()
        port = stack.enter_context(haproxy(project, tmp_path, fleet))
        token = register(Server(fleet[0].process, port, Path()), "owner")
        clients = [partial(heroes, port, name, mottos) for name in ("Ada", "Alan", "Grace")]
        with load([*clients, partial(items, port, token, titles)]) as busy:
            for release in later:
                alembic(release, database_url, "upgrade", "head")
                for number, old in enumerate(fleet):
                    busy.go_on(100)  # so that old and new code meet the same rows
                    old.stop()
                    fleet[number] = stack.enter_context(start(release, port=old.port))
                    fleet[number].ready()
                if release.name == "release2":
                    differ = "SELECT count(*) FROM hero WHERE motto IS DISTINCT FROM slogan"
                    assert sql(database_url, differ) == [0]
    assert busy.failures == []
    assert sql(database_url, "SELECT count(*) FROM hero") == [len(mottos)]
    rows = sql(database_url, "SELECT id || ' ' || slogan FROM hero")
    assert sorted(map(str, rows)) == sorted(" ".join(pair) for pair in mottos.items())
    assert sorted(map(str, sql(database_url, "SELECT id FROM item"))) == sorted(titles)
    columns = "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'hero'"
    assert sorted(map(str, sql(database_url, columns))) == ["id", "slogan"]
