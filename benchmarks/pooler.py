"""PgBouncer in front of a PostgreSQL server of the benchmarks or the tests."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
START_LIMIT = 10.0  # seconds
PORT = 6432

# Lets everybody in under the name that they give, and connects to any database
SETTINGS = """\
[databases]
* = host={host}
[pgbouncer]
listen_addr =
auth_type = trust
auth_user = {user}
pool_mode = transaction
max_client_conn = 1000
"""


@contextmanager
def pgbouncer(folder: Path, server: str) -> Iterator[str | None]:
    """Run PgBouncer in transaction mode, on a Unix socket only, as the server's own user.

    Args:
        folder: Where its files go; it is made.
        server: The SQLAlchemy URL of a database of the server, on a Unix socket.

    Yields:
        The URL of this database through the pooler; None without a pgbouncer program.
    """
    if not PROGRAM:
        yield None
        return
    url = sa.make_url(server)
    sockets = Path(str(url.query["host"]))
    settings = SETTINGS.format(host=sockets, user=url.username)
    with run_pgbouncer(folder, settings, sockets.stat().st_uid):
        pooled = url.set(query={"host": str(folder), "port": str(PORT)})
        yield pooled.render_as_string(hide_password=False)


@contextmanager
def run_pgbouncer(folder: Path, settings: str, user: int) -> Iterator[None]:
    """Run PgBouncer until the block ends, from when it listens.

    Args:
        folder: Where its files and its Unix socket go; it is made unless it is there.
        settings: Its configuration, which ends with the section `[pgbouncer]`.
        user: The id of the user to run it as, because it refuses to be root.
    """
    assert PROGRAM, "there is no pgbouncer"
    folder.mkdir(exist_ok=True)
    config = folder / "pgbouncer.ini"
    config.write_text(f"{settings}unix_socket_dir = {folder}\n", encoding="utf-8")
    os.chown(folder, user, -1)
    with subprocess.Popen(
        [PROGRAM, "--quiet", config], user=user if os.geteuid() != user else None
    ) as process:
        limit = time.monotonic() + START_LIMIT
        while not any(folder.glob(".s.PGSQL.*")):
            assert process.poll() is None, "PgBouncer ended"
            assert time.monotonic() < limit, "PgBouncer does not listen"
            time.sleep(0.05)
        try:
            yield
        finally:
            process.terminate()
