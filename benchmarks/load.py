"""Ask one thing of a server again and again: a process of its own, that needs no package.

Its only argument is JSON, the fields of `Load`; it prints how many requests per second were
answered. An answer that is not as it should be ends it with an AssertionError.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import cast

try:
    from uvloop import run
except ImportError:
    from asyncio import run

HOST = "127.0.0.1"
WARM_UP = 0.2  # seconds
SLACK = 7  # characters: a moment whose microseconds are 0 is written without them


@dataclass
class Load:
    """What to ask, and what to expect."""

    port: int
    request: str
    length: int  # of the body of each answer
    connections: int
    seconds: float


class Client(asyncio.Protocol):
    """One connection: it sends a request whenever the answer to the one before is complete."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.request = load.request.encode()
        self.answered = 0
        self.received = b""
        self.problem = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count a complete answer and ask again."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        fields = head.lower().partition(b"content-length:")[2]
        length = int(fields.partition(b"\r\n")[0] or -1)
        if not head.startswith(b"HTTP/1.1 200 ") or abs(length - self.load.length) > SLACK:
            self.problem = self.received.decode(errors="replace")
            self.transport.close()
        elif len(body) >= length:
            self.received = b""
            self.answered += 1
            self.transport.write(self.request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that it was not this side that closed."""
        self.problem = self.problem or f"the server closed the connection: {exc}"


async def ask(load: Load) -> float:
    """Ask on all connections at once for as long as it should take.

    Args:
        load: What to ask, and how often.

    Returns:
        Answers per second, without those of the warm-up.
    """
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(load.connections):
        clients.append((await loop.create_connection(partial(Client, load), HOST, load.port))[1])
    await asyncio.sleep(WARM_UP)
    before, started = sum(client.answered for client in clients), time.perf_counter()
    await asyncio.sleep(load.seconds)
    after, ended = sum(client.answered for client in clients), time.perf_counter()
    for client in clients:
        assert not client.problem, client.problem
    assert after > before, "no answer"
    return (after - before) / (ended - started)


if __name__ == "__main__":
    print(run(ask(Load(**json.loads(sys.argv[1])))))
