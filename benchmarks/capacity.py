"""What workers, PostgreSQL and PgBouncer can take, and what each request costs them.

The service runs as in production, on any core, and shares the machine with its database, PgBouncer
and the clients. So beside the requests per second, the CPU time of each is taken: what a request
costs holds on other machines too, and where each part has a machine of its own.
"""

import os
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import NamedTuple

import sqlalchemy as sa

from benchmarks.common import (
    machine,
    postgres_server,
    progress,
    recreate_database,
    render,
    workspace,
)
from benchmarks.load import WARM_UP
from benchmarks.pooler import pgbouncer
from benchmarks.service import (
    CONNECTIONS,
    FILL,
    NEW_ITEM,
    TIDY,
    Asked,
    Program,
    Server,
    execute,
    items,
    pool_of,
    register,
    running,
    service,
)

ROUNDS = 3
SECONDS = 3.0  # that a rate is taken for: CPU time is counted in hundredths
WORKERS = (1, 2, 4)
DIRECT, POOLED = "-", "PgBouncer"
LIST, READ, CREATE = "list of 100 items", "single read", "create"
RATES = ("request", "workers", "through", "requests/s", "service", "PostgreSQL", "PgBouncer")
COSTS = ("request", "service", "PostgreSQL", "a worker", "a core of PostgreSQL")
BYTES_PER_ROW = "SELECT pg_total_relation_size('item') / count(*) FROM item"
GIB = 2**30


class Figures(NamedTuple):
    """What was seen at one kind of request, number of workers and way to the database."""

    rate: float  # requests per second
    service: float  # cores that it kept busy
    postgres: float
    pooler: float


class Budget(NamedTuple):
    """How many connections there may be."""

    kept: int  # by a worker
    worker: int  # by a worker, at most
    server: int  # to PostgreSQL, without those reserved for administrators
    clients: int  # to PgBouncer, as the project documents it
    pooled: int  # from PgBouncer, as the project documents it


Seen = dict[tuple[str, int, str], Figures]


def document(rounds: int, again: str) -> str:
    """Measure, and write docs/capacity.md.

    Args:
        rounds: How often each figure is taken.
        again: The command that measures it again.
    """
    with workspace() as folder, postgres_server(folder) as server:
        url = recreate_database(server, "bench")
        program = service(folder / "service", url, auth="yes")
        with running(program) as one:
            token = register(one, "owner")
            register(one, "other")
            execute(url, *FILL)
            page, single = items(one, token)
        asked = {LIST: page, READ: single, CREATE: Asked("/api/v1/items/", token, NEW_ITEM)}
        postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        with pgbouncer(folder / "pgbouncer", url) as pooled:
            ways = {DIRECT: program}
            if pooled:
                environment = program.environment | {"DATABASE_URL": pooled}
                ways[POOLED] = replace(program, environment=environment)
            seen = measure(ways, asked, url, postmaster, rounds)
        return write(seen, budget(program, url), query(url, BYTES_PER_ROW), again)


def measure(
    ways: dict[str, Program], asked: dict[str, Asked], url: str, postmaster: int, rounds: int
) -> Seen:
    """Take the figures of each kind of request and number of workers, on each way in turn.

    Args:
        ways: The service, by what is between it and the server.
        asked: What to ask for, by what it is called.
        url: The database, without anything between.
        postmaster: The id of the server's first process.
        rounds: How often each figure is taken.
    """
    seen = {}
    for workers in WORKERS:
        with ExitStack() as stack:
            servers = {
                way: stack.enter_context(running(program, workers)) for way, program in ways.items()
            }
            for what, one in asked.items():
                progress(f"capacity: {what}, {workers} workers")
                taken: dict[str, list[Figures]] = {way: [] for way in ways}
                for _ in range(rounds):
                    for way, server in servers.items():
                        taken[way].append(figures(server, one, postmaster))
                        if what == CREATE:
                            execute(url, *TIDY)
                for way, rows in taken.items():
                    medians = (median(values) for values in zip(*rows, strict=True))
                    seen[what, workers, way] = Figures(*medians)
    return seen


def figures(server: Server, asked: Asked, postmaster: int) -> Figures:
    """Ask for a while; see how much CPU time that took of whom."""
    poolers = [pid for pid in children(os.getpid()) if name(pid) == "pgbouncer"]
    roots = ([server.process.pid], [postmaster], poolers)
    before = [sum(map(cpu_time, pids)) for pids in roots]
    rate = server.rate(asked, core=None, seconds=SECONDS)
    after = [sum(map(cpu_time, pids)) for pids in roots]
    busy = [(b - a) / (WARM_UP + SECONDS) for a, b in zip(before, after, strict=True)]
    return Figures(rate, *busy)


def cpu_time(pid: int) -> float:
    """Read the seconds of CPU time of a process, of those it started, and of theirs."""
    own = sum(map(int, status(pid)[11:15])) / os.sysconf("SC_CLK_TCK")  # with what has ended
    return own + sum(map(cpu_time, children(pid)))


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that still run."""
    running = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [one for one in running if status(one)[1:2] == [str(pid)]]


def name(pid: int) -> str:
    """Read the name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def status(pid: int) -> list[str]:
    """Read what the system knows of a process, after its name; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def budget(program: Program, url: str) -> Budget:
    """Ask the service, the server and the project's page how many connections there may be."""
    kept, overflow = pool_of(program)
    page = (program.project / "docs" / "postgresql.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^(\w+) = (\d+)$", page, re.MULTILINE))
    shown = ("max_connections", "superuser_reserved_connections", "reserved_connections")
    most, *reserved = (query(url, f"SHOW {setting}") for setting in shown)
    return Budget(
        kept=kept,
        worker=kept + overflow,
        server=most - sum(reserved),
        clients=int(documented["max_client_conn"]),
        pooled=int(documented["default_pool_size"]),
    )


def query(url: str, statement: str) -> int:
    """Ask a database for a number."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(statement).scalar_one())


def write(seen: Seen, budget: Budget, bytes_per_row: int, again: str) -> str:
    """Write the page.

    Args:
        seen: The figures of all kinds of requests, numbers of workers, and ways.
        budget: How many connections there may be.
        bytes_per_row: What an item takes on the disk, its indexes included.
        again: The command that measures it again.
    """
    rates = [
        (what, str(workers), way, f"{f.rate:.0f}", *(f"{cores:.2f}" for cores in f[1:]))
        for (what, workers, way), f in seen.items()
    ]
    costs = {what: seen[what, 1, DIRECT] for what in (LIST, READ, CREATE)}
    ms = {
        what: (f.service * 1000 / f.rate, f.postgres * 1000 / f.rate) for what, f in costs.items()
    }
    per_worker = {what: 1000 / service for what, (service, _) in ms.items()}
    per_core = {what: 1000 / postgres for what, (_, postgres) in ms.items()}
    rows = [
        (
            what,
            *(f"{cost:.2f} ms" for cost in ms[what]),
            *(f"{most[what]:.0f}/s" for most in (per_worker, per_core)),
        )
        for what in ms
    ]
    workers_per_core = min(service / postgres for service, postgres in ms.values())
    pooled = [
        f.rate / seen[what, workers, DIRECT].rate
        for (what, workers, way), f in seen.items()
        if way == POOLED
    ]
    through = "Through it, there were {:.2f} times as many requests/s (median of the rows above)."
    page = PAGE.format(
        machine=machine(),
        again=again,
        connections=CONNECTIONS,
        rates=render(rates, RATES),
        costs=render(rows, COSTS),
        workers_per_core=workers_per_core,
        reads=per_core[READ],
        creates=per_core[CREATE],
        lists=per_core[LIST],
        b=budget,
        workers=budget.server // budget.worker,
        next_worker=budget.server // budget.worker + 1,
        clients=budget.clients // budget.worker,
        pooler=through.format(median(pooled)) if pooled else "There was none here to measure.",
        rows=GIB / bytes_per_row / 1e6,
        bytes=bytes_per_row,
    )
    return "\n\n".join(map(wrap, page.split("\n\n"))) + "\n"


def wrap(block: str) -> str:
    """Break the lines of a paragraph or a list anew; leave headings and tables alone."""
    if block.startswith(("#", "|")):
        return block
    lines = []
    for part in re.split(r"\n(?=\d\. )", block):
        indent = "   " if re.match(r"\d+\. ", part) else ""
        text = " ".join(part.split())
        lines.append(fill(text, 100, subsequent_indent=indent, break_on_hyphens=False))
    return "\n".join(lines)


PAGE = """\
# Capacity

How far a generated service with PostgreSQL and users goes, and what to do then. This page is not
typed: every figure is measured or computed by `{again}`. {machine}

## What was seen

{connections} clients ask as fast as they are answered. Service, PostgreSQL, PgBouncer and clients
share this machine: once its cores are busy, another worker adds nothing here. "Service",
"PostgreSQL" and "PgBouncer" are the cores that each kept busy.

{rates}

## What a request costs

The CPU time of one request, seen with one worker, and how many such requests per second keep a
worker, or a core of PostgreSQL, busy all the time. The time of disks and networks is not in it.

{costs}

A worker keeps one core busy at most. Workers share nothing, so each adds as much as the one before,
until PostgreSQL is the limit: a core of it feeds {workers_per_core:.1f} workers or more, by the
request that is the most expensive for it.

## Connections

A worker opens at most {b.worker} connections and keeps {b.kept}. PostgreSQL with its default
settings lets in {b.server}, besides administrators: enough for {workers} workers. PgBouncer, set up
as the project's `docs/postgresql.md` says, lets in {b.clients}, enough for {clients} workers, and
opens {b.pooled} to the server. {pooler}

## What to do, and when

1. **More workers**, on any number of machines, while the service's cores are busy and PostgreSQL's
are not. Workers keep nothing but the counts of `RATE_LIMIT`; `RATE_LIMIT_STORAGE` shares these.
2. **PgBouncer** when workers times {b.worker} is more than {b.server}: from worker {next_worker}
on.
3. **A larger PostgreSQL server** when all its cores are busy: each gives, by CPU time,
{reads:.0f} single reads, {lists:.0f} lists of 100 items or {creates:.0f} creates per second.
4. **Replicas for reads** when reads alone would keep the largest server busy, at those figures.
Routes that may answer what is a moment old get a second engine, with the replica's URL.
5. **Partitions** when a table and its indexes outgrow the server's memory: an item takes {bytes}
bytes with its indexes, so a GiB holds {rows:.1f} million. Ids are UUIDv7, so ranges of them are
ranges of time. Autogenerate leaves partitions alone.
6. **Citus, or another engine that speaks PostgreSQL's protocol**, by `DATABASE_URL`, when writes
alone would keep the largest server busy, at {creates:.0f} creates per second and core. Citus is an
extension of PostgreSQL: a revision calls `create_distributed_table`, and primary keys must hold the
column that rows are distributed by. An engine that is not PostgreSQL must have advisory locks,
which keep two migrations apart. None of them is tested here."""
