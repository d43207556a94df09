"""Processes of a generated service, as many and as long as a test wants, and clients that load them."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self

from tests.conftest import free_port, own_environment, wait_for

# The time that a loaded machine may take; nothing is measured with it
PATIENCE = 60.0
JSON = {"Content-Type": "application/json"}
SECRET_KEY = "for-the-tests-of-this-template-only"  # of nothing that lasts


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something to become true, or fail with what is not."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@dataclass
class Answer:
    """What a service said."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """One client: it keeps its connection as long as the other side does."""

    def __init__(self, port: int, token: str = "", patience: float = PATIENCE) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=patience)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask once.

        Raises:
            HTTPException, OSError: There was no whole answer.
        """
        sent = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, path, sent, self.headers | (JSON if sent else {}))
            response = self.connection.getresponse()
            said = response.read()
        except (HTTPException, OSError):
            self.connection.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        in_json = headers.get("content-type") == "application/json"  # a proxy has its own answers
        return Answer(response.status, json.loads(said) if in_json else said.decode(), headers)


@dataclass
class Replica:
    """A process of the service, or a supervisor with several."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask once, on a connection of its own."""
        with Client(self.port) as client:
            return client.ask(method, path, body)

    def ready(self) -> None:
        """Wait until it is ready."""
        wait_for(f"{self.url}/readyz", self.process, PATIENCE)

    def alive(self) -> None:
        """Wait until it answers."""
        wait_for(f"{self.url}/livez", self.process, PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> str:
        """Send a signal, wait for the end, and give what it logged."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return self.log.read_text(encoding="utf-8")


@contextmanager
def replica(
    project: Path, url: str, options: Sequence[str] = (), port: int = 0, **environment: str
) -> Generator[Replica]:
    """Serve a project as in production; what still runs at the end of the block is killed.

    Args:
        project: An installed project.
        url: Its database.
        options: More options of uvicorn.
        port: Where to listen; a free one unless given.
        environment: More variables.
    """
    port = port or free_port()
    log = project / f"replica-{port}-{time.monotonic_ns()}.log"
    production = {"ENVIRONMENT": "production", "SECRET_KEY": SECRET_KEY, "DRAIN_SECONDS": "0.5"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [project / ".venv" / "bin" / "uvicorn", "app.main:app", "--port", str(port), *options],
            cwd=project,
            env=own_environment() | production | environment | {"DATABASE_URL": url},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Replica(process, port, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Load:
    """Clients that do the same thing again and again, each in a thread of its own."""

    steps: int = 0
    failures: list[str] = field(default_factory=list)

    def go_on(self, steps: int) -> None:
        """Wait until the clients have taken some more steps, none of which may fail."""
        aim = self.steps + steps
        until(lambda: self.steps >= aim or bool(self.failures), "the clients are stuck")
        assert self.failures == []


@contextmanager
def load(clients: Sequence[Callable[[], Iterator[None]]], pause: float = 0.01) -> Generator[Load]:
    """Keep clients busy until the end of the block.

    Args:
        clients: Each makes a generator, which is advanced for as long as the load lasts; what it
            raises is a failure, after which the client starts anew.
        pause: Seconds that each client leaves the machine between two steps.
    """
    found = Load()
    over = threading.Event()

    def run(client: Callable[[], Iterator[None]]) -> None:
        while not over.is_set():
            try:
                for _ in client():
                    found.steps += 1
                    if over.wait(pause):
                        return
            except Exception as error:
                found.failures.append(f"{type(error).__name__}: {error}"[:500])

    threads = [threading.Thread(target=run, args=[client], daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)
