"""A server with HTTP in a thread of its own, and a client that sends what it is told."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import trio

from kstream.broker.broker import Broker
from kstream.config.load import load
from kstream.server import serve
from kstream.testing.clock import TestingClock
from kstream.web.serve import HttpServer


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode()


class HttpBroker:
    """Where the server is: for Kafka's clients, and for those of HTTP."""

    def __init__(self, port: int, token: str | None) -> None:
        self.port = port
        self.token = token
        self.bootstrap_servers = ""
        self.broker: Broker

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        sent = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            content = raw if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {**sent, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> Answer:
        return self.ask("POST", path, body, **more)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)


@contextmanager
def http_broker(*, token: str | None = None, **settings: str) -> Iterator[HttpBroker]:
    """A server with some settings (`_` for `.` in their keys) on free ports, gone at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="kstream-web-"))
    sock = socket.create_server(("127.0.0.1", 0))
    clock = TestingClock()
    found = HttpBroker(sock.getsockname()[1], token)
    given = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": str(data_dir)}
    given |= {name.replace("_", "."): value for name, value in settings.items()}
    config, _ = load(settings=[f"{name}={value}" for name, value in given.items()])
    is_ready = threading.Event()
    scope = trio.CancelScope()
    tokens: list[trio.lowlevel.TrioToken] = []
    errors: list[BaseException] = []

    def ready(addresses: list[str]) -> None:
        found.bootstrap_servers = ",".join(addresses)
        is_ready.set()

    async def main() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        run = partial(serve, opened=lambda broker: setattr(found, "broker", broker))
        with scope:
            companion = HttpServer(sock, clock, token).run
            await run(config, data_dir, ready=ready, clock=clock, companion=companion)

    def thread() -> None:
        try:
            trio.run(main, clock=clock)
        except BaseException as error:
            errors.append(error)
            is_ready.set()

    worker = threading.Thread(target=thread, daemon=True)
    worker.start()
    try:
        assert is_ready.wait(60)
        yield found
    finally:
        if worker.is_alive():
            tokens[0].run_sync_soon(scope.cancel)
        worker.join(60)
        shutil.rmtree(data_dir, ignore_errors=True)
        if errors:
            raise errors[0]
