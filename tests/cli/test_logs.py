"""What reaches standard error of what is logged."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from kstream.cli.logs import set_up
from kstream.log.errors import LogStorageError

log = logging.getLogger("kstream.tests")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; the root logger is as it was afterwards."""
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    written = io.StringIO()
    set_up("info", stream=written)
    yield written
    root.handlers[:], logging.raiseExceptions = handlers, raises
    root.setLevel(level)


def test_the_words_of_others_stay_on_their_line(stream: io.StringIO) -> None:
    log.info("refused %s", "a\n00:00:00.000 ERROR  all is lost\x1b[31m" + "x" * 5000)
    (line,) = stream.getvalue().splitlines()
    assert r"refused a\n00:00" in line
    assert r"\x1b[31m" in line
    assert len(line) < 2200


def test_a_traceback_keeps_its_lines(stream: io.StringIO) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.exception("failed")
    assert len(stream.getvalue().splitlines()) > 3


def test_a_flood_is_cut_and_counted(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_700_000_000.0
    monkeypatch.setattr("time.time", lambda: now_s)
    monkeypatch.setattr("time.time_ns", lambda: int(now_s * 1e9), raising=False)
    for number in range(1000):
        log.info("refused %d", number)
    log.info("something else")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[-1].endswith("something else")
    now_s += 11
    log.info("refused %d", 7)
    assert stream.getvalue().endswith("refused 7 (980 more like this were left out before)\n")


def _set_up_json(stream: io.StringIO) -> None:
    set_up("info", stream=stream, as_json=True)


def test_json_has_one_object_a_line_whatever_others_say(stream: io.StringIO) -> None:
    _set_up_json(stream)
    log.info("refused %s", 'a"\n{"level": "error"}\x1b[31m')
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        log.exception("failed")
    refused, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (refused["level"], refused["logger"]) == ("info", "tests")
    assert refused["event"] == 'refused a"\n{"level": "error"}\x1b[31m'
    assert "\x1b" not in stream.getvalue()
    assert datetime.fromisoformat(refused["timestamp"]).tzinfo is not None
    assert failed["exception"].endswith("ZeroDivisionError: by nothing")
    assert "report it" in failed["advice"]


def test_a_full_disk_says_what_to_do(stream: io.StringIO) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as cause:
            raise LogStorageError("t-0: No space left on device") from cause
    except LogStorageError as error:
        log.error("cannot append to %s-%d: %s", "t", 0, error)
        log.info("cannot append to %s-%d: %s", "t", 0, error)
    told, only_said = stream.getvalue().splitlines()
    assert told.endswith("No space left on device; free space on the disk, or point --data to a larger one")
    assert only_said.endswith("No space left on device")
