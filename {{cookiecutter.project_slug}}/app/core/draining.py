"""From SIGTERM to the end: not ready any more, while what is still sent is answered."""

import asyncio
import signal
import threading
from types import FrameType

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def drain_on_sigterm(app: FastAPI, seconds: float) -> None:
    """Put off what the server does on SIGTERM: close its port and each idle connection.

    Until then /readyz answers 503, so that the load balancer sends nothing more, and each answer
    is the last on its connection, so that none is closed while a request is on its way to it.

    Args:
        app: The application, which is starting.
        seconds: The load balancer's time to notice.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):  # no server that ends in an orderly way
        return
    loop = asyncio.get_running_loop()
    stack = app.middleware_stack or app.build_middleware_stack()

    def drain(number: int, frame: FrameType | None) -> None:
        app.state.stopping = True
        app.middleware_stack = ClosingMiddleware(stack)
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, frame)

    signal.signal(signal.SIGTERM, drain)


class ClosingMiddleware:
    """Make each answer the last one on its connection; HTTP/2 has its own way."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer with one more header."""

        async def closing_send(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["http_version"] < "2":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self.app(scope, receive, closing_send)
