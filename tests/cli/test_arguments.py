"""The command line's shape."""

from __future__ import annotations

import pytest

from kstream import __version__
from kstream.cli.arguments import Options, Topic, parse

DEFAULTS = Options(
    listen=None,
    advertise=None,
    data=None,
    ephemeral=False,
    config=None,
    settings=(),
    topics=(),
    log_level="info",
)


@pytest.mark.parametrize("argv", [[], ["serve"]])
def test_defaults(argv: list[str]) -> None:
    assert parse(argv) == DEFAULTS


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_everything(command: list[str]) -> None:
    argv = ["--listen", ":0", "--advertise", "a:1", "--data", "d", "--config", "f", "--log-level", "debug"]
    argv += ["--set", "a=1", "--set", "b=2", "--topic", "t", "--topic", "u:3"]
    assert parse([*command, *argv]) == Options(
        listen=":0",
        advertise="a:1",
        data="d",
        ephemeral=False,
        config="f",
        settings=("a=1", "b=2"),
        topics=(Topic("t", None), Topic("u", 3)),
        log_level="debug",
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["start"], "unknown command start: the only one is serve"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--eph"], "unrecognized arguments: --eph"),
        (["--data"], "expected one argument"),
        (["--data", "d", "--ephemeral"], "--data keeps data and --ephemeral throws it away"),
        (["--topic", "a b"], "a topic's name is 1 to 249 letters"),
        (["--topic", ".."], "a topic's name is 1 to 249 letters"),
        (["--topic", "a" * 250], "a topic's name is 1 to 249 letters"),
        (["--topic", "a:1", "--topic", "a:2"], "--topic names a twice"),
        (["--topic", "a:0"], "after the colon comes a number of partitions, such as a:3"),
        (["--topic", "a:"], "after the colon comes a number of partitions, such as a:3"),
        (["--topic", "a:²"], "after the colon comes a number of partitions, such as a:3"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(argv)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kstream: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"kstream {__version__}, speaks the protocol of Apache Kafka 4.4.0\n"


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for flag in (
        "--listen",
        "--advertise",
        "--data",
        "--ephemeral",
        "--config",
        "--set",
        "--topic",
        "--log-level",
    ):
        assert flag in text
    assert "kstream --ephemeral --listen 127.0.0.1:0" in text
