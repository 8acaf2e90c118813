"""From options to a served configuration, with a stand-in for the server."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.cli.arguments import parse
from kstream.cli.serve import MISTAKE, OK, run
from kstream.cli.signals import Stop
from kstream.config import BrokerConfig
from kstream.errors import KstreamError


@pytest.fixture(autouse=True)
def _process_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Signal handlers and the root logger as they were; an environment and a folder of the test's own."""
    for name in [name for name in os.environ if name.startswith("KAFKA_") or name == "CLUSTER_ID"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    root_handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    root.handlers[:], logging.raiseExceptions = root_handlers, raises
    root.setLevel(level)


class FakeServer:
    """Says it is ready, then runs `then` and waits to be cancelled, as the real one does."""

    def __init__(self, then: Callable[[], object] | None = None, *, error: Exception | None = None) -> None:
        self.then = then or (lambda: os.kill(os.getpid(), signal.SIGTERM))
        self.error = error
        self.config = BrokerConfig()
        self.data_dir = Path()
        self.topics: Sequence[tuple[str, int | None]] = ()
        self.was_cancelled = False

    async def __call__(
        self,
        config: BrokerConfig,
        data_dir: Path,
        *,
        ready: Callable[[list[str]], None],
        topics: Sequence[tuple[str, int | None]],
        **beside: Any,
    ) -> None:
        self.beside = beside
        self.config, self.data_dir, self.topics = config, data_dir, topics
        if self.error is not None:
            raise self.error
        ready([f"{listener.host or '0.0.0.0'}:{listener.port}" for listener in config.listeners])
        self.then()
        try:
            await trio.sleep_forever()
        finally:
            self.was_cancelled = True


def serve(*argv: str, server: FakeServer | None = None) -> tuple[int, FakeServer]:
    server = server or FakeServer()
    return run(parse(argv), server=server), server


def test_the_ready_line_and_the_banner(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, server = serve()
    assert code == OK
    captured = capsys.readouterr()
    assert captured.out == "kstream ready 127.0.0.1:9092\n"
    assert "listening  127.0.0.1:9092" in captured.err
    assert f"data       {tmp_path}/kstream-data (kept)" in captured.err
    assert "echo hello | kcat -P -b 127.0.0.1:9092 -t greetings" in captured.err
    assert "\x1b" not in captured.err
    assert server.data_dir == Path("kstream-data")
    assert server.was_cancelled


def test_several_listeners(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "--listen",
        "A://127.0.0.1:1,B://:2",
        "--set",
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
    ]
    serve(*argv, "--advertise", "B://example.org:3")
    captured = capsys.readouterr()
    assert captured.out == "kstream ready 127.0.0.1:1,0.0.0.0:2\n"
    assert "advertised example.org:3" in captured.err


def test_every_interface_is_tried_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    serve("--listen", "0.0.0.0:7")
    assert "kcat -P -b 127.0.0.1:7 -t greetings" in capsys.readouterr().err


def test_flags_become_settings(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("listeners=PLAINTEXT://file:1\nlog.dirs=/a,/b\n")
    argv = [
        "--config",
        str(file),
        "--listen",
        "[::1]:5",
        "--advertise",
        "h:6",
        "--data",
        "d",
        "--topic",
        "t:2",
    ]
    _, server = serve(*argv, "--set", "num.partitions=4")
    assert str(server.config.listeners[0]) == "PLAINTEXT://[::1]:5"
    assert str(server.config.advertised_listeners[0]) == "PLAINTEXT://h:6"
    assert server.config.num_partitions == 4
    assert server.data_dir == Path("d")
    assert server.topics == (("t", 2),)


def test_data_goes_where_the_configuration_says() -> None:
    _, server = serve("--set", "log.dirs=/somewhere/else")
    assert server.data_dir == Path("/somewhere/else")


def test_ephemeral_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[bool] = []
    server = FakeServer()

    def then() -> None:
        seen.append(server.data_dir.is_dir())
        (server.data_dir / "t-0").mkdir()
        os.kill(os.getpid(), signal.SIGINT)

    server.then = then
    assert serve("--ephemeral", server=server)[0] == OK
    assert seen == [True]
    assert not server.data_dir.exists()
    assert "(removed at exit)" in capsys.readouterr().err


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_NUM_PARTITIONS", "7")
    monkeypatch.setenv("CLUSTER_ID", "abc")
    _, server = serve()
    assert server.config.num_partitions == 7
    assert server.config.cluster_id == "abc"


def test_warnings_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    serve("--set", "num.partition=3", "--set", "num.io.threads=9")
    lines = capsys.readouterr().err.splitlines()
    assert (
        lines[0]
        .split(" ", 1)[1]
        .startswith("WARNING cli.serve: --set num.partition: num.partition is not a key")
    )
    assert "INFO    cli.serve: --set num.io.threads: num" in lines[1]


def test_the_log_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    serve("--set", "num.partition=3", "--log-level", "error")
    assert "WARNING" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--set", "num.partitions=x"], "Not a number of type INT"),
        (["--set", "listeners=SSL://:1"], "SSL wants SSL, which is not served"),
        (["--config", "nowhere.properties"], "name a readable properties file"),
        (["--listen", "nowhere"], "--listen nowhere: expected HOST:PORT"),
        (["--advertise", "nowhere"], "--advertise nowhere: expected HOST:PORT"),
        (
            ["--data", "d", "--set", "log.dirs=e"],
            "--set log.dirs and a flag both give log.dirs: leave one of them out",
        ),
        (["--data", "a,b"], "kstream has one data folder"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(*argv)[0] == MISTAKE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kstream: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_what_the_server_cannot_do_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    server = FakeServer(error=KstreamError("the folder is in use; stop the other server"))
    assert serve("--ephemeral", server=server)[0] == MISTAKE
    assert capsys.readouterr().err == "kstream: the folder is in use; stop the other server\n"
    assert not server.data_dir.exists()


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        serve(server=FakeServer(error=ZeroDivisionError()))


def test_no_temporary_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert serve("--ephemeral")[0] == MISTAKE
    assert "set TMPDIR to a writable one" in capsys.readouterr().err


def test_the_second_signal_ends_at_once() -> None:
    exits: list[int] = []
    calls: list[str] = []
    stop = Stop(exit_now=exits.append)
    stop.install()
    stop.on_stop(lambda: calls.append("stop"))
    stop.on_exit_now(lambda: calls.append("clean up"))
    os.kill(os.getpid(), signal.SIGTERM)
    assert (calls, exits) == (["stop"], [])
    os.kill(os.getpid(), signal.SIGINT)
    assert calls == ["stop", "clean up"]
    assert exits == [128 + signal.SIGINT]


def test_a_stop_that_does_not_end_is_cut_short() -> None:
    calls: list[str] = []
    has_exited = threading.Event()

    def exit_now(code: int) -> None:
        calls.append(f"exit {code}")
        has_exited.set()

    stop = Stop(exit_now=exit_now, stop_s_max=0.01)
    stop.install()
    stop.on_stop(lambda: calls.append("stop"))
    stop.on_exit_now(lambda: calls.append("clean up"))
    os.kill(os.getpid(), signal.SIGTERM)
    assert has_exited.wait(60)
    assert calls == ["stop", "clean up", "exit 0"]


def test_a_stop_that_ended_is_not_cut_short() -> None:
    exits: list[int] = []
    stop = Stop(exit_now=exits.append, stop_s_max=0.2)
    stop.install()
    os.kill(os.getpid(), signal.SIGTERM)
    stop.has_stopped()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(60)
    assert exits == []


def test_a_signal_before_the_server_runs_is_kept() -> None:
    calls: list[str] = []
    stop = Stop()
    stop.install()
    os.kill(os.getpid(), signal.SIGTERM)
    stop.on_stop(lambda: calls.append("stop"))
    assert calls == ["stop"]


def test_a_closed_standard_output_does_not_stop_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        code, server = serve()
    assert code == OK
    assert server.was_cancelled


def test_http_is_bound_before_anything_else_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, server = serve("--ephemeral", "--http", "127.0.0.1:0")
    assert code == OK
    assert set(server.beside) == {"clock", "companion"}
    assert "http       http://127.0.0.1:" in capsys.readouterr().err


def test_http_for_others_needs_a_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serve("--ephemeral", "--http", "0.0.0.0:0")[0] == MISTAKE
    assert "--http-token TOKEN or KSTREAM_HTTP_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("KSTREAM_HTTP_TOKEN", "a-long-random-token")
    assert serve("--ephemeral", "--http", "0.0.0.0:0")[0] == OK


def test_without_http_nothing_of_it_is_imported() -> None:
    program = "import sys, kstream.cli.serve; print({'kstream.web', 'msgspec'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "set()\n"
