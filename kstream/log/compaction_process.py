"""`python -m kstream.log.compaction_process`: the process in which a broker has its logs compacted.

It takes orders on its standard input and answers on its standard output, see `compaction_messages`, and ends
when its input does: with the broker, however that ended.

The broker and whoever talks to it come first, so it is nice. On a machine whose every core is busy it gets
about a tenth of one, and of a core with nothing else to do as much as it wants. The nicest, 19, would get a
sixtieth, too little to keep a disk from filling, and the p99 of requests beside it was no better than with
10; with 0 it was twice as long while other programs ran.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
from typing import Any, BinaryIO

from kstream.errors import KstreamError
from kstream.log.compaction_messages import (
    LENGTH_BYTES,
    Failed,
    Order,
    Ready,
    Said,
    Touched,
    length_of,
    packed,
    unpacked,
)
from kstream.log.compaction_work import CompactionWork
from kstream.log.platform import Platform

log = logging.getLogger(__name__)

_NICENESS = 10


class _Broker:
    """The other end."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests = requests
        self._answers = answers
        self._lock = threading.Lock()

    def tell(self, message: Any) -> None:
        with self._lock:
            self._answers.write(packed(message))
            self._answers.flush()

    def hear(self) -> Any:
        """The next message. Raises EOFError when there will be none."""
        return unpacked(self._read(length_of(self._read(LENGTH_BYTES))))

    def _read(self, size_bytes: int) -> bytes:
        content = self._requests.read(size_bytes)
        if len(content) < size_bytes:
            raise EOFError
        return content

    def ask(self, message: Any) -> int:
        """Tell, and wait for the reply."""
        self.tell(message)
        reply: int = self.hear()
        return reply


class _ToBroker(logging.Handler):
    def __init__(self, broker: _Broker) -> None:
        super().__init__()
        self._broker = broker

    def emit(self, record: logging.LogRecord) -> None:
        self._broker.tell(Said(record.name, record.levelno, self.format(record)))


def main() -> None:
    """Serve one broker until it is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal sends them to the broker too, which says when this one is to end.
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # who prints something by mistake must not be taken for an answer
    threading.Thread(target=_end_with_broker, daemon=True).start()
    broker = _Broker(sys.stdin.buffer, answers)
    logging.getLogger().handlers[:] = [_ToBroker(broker)]
    logging.getLogger().setLevel(logging.INFO)
    with contextlib.suppress(EOFError, BrokenPipeError):
        broker.tell(Ready())
        while True:
            _do(broker.hear(), broker)


def _end_with_broker() -> None:
    """End at once when the other end of the input is closed: a new broker may already be about to open what
    this process writes to, and deletes what is unfinished there.
    """
    watch = select.poll()
    watch.register(0, 0)  # a hang-up is told without being asked for
    watch.poll()
    os._exit(0)


def _do(order: Order, broker: _Broker) -> None:
    allowance_bytes = touched_bytes = 0

    def pause(size_bytes: int) -> None:
        nonlocal allowance_bytes, touched_bytes
        touched_bytes += size_bytes
        if touched_bytes >= allowance_bytes:
            allowance_bytes = broker.ask(Touched(touched_bytes))
            touched_bytes = 0

    try:
        # What is the log's stays so when its directory is renamed, and another gets its name.
        os.chdir(order.job.directory)
        work = CompactionWork(order.job.here(), Platform.of_settings(order.platform))
        for cleaned in work.run(pause):
            broker.ask(cleaned)
        broker.ask(Touched(touched_bytes))  # small rounds count, too
        answer: Any = work.outcome
    except EOFError:
        raise
    except Exception as error:
        if not isinstance(error, (KstreamError, OSError)):
            log.exception("compaction met what it does not know")
        answer = Failed.by(error)
    finally:
        os.chdir("/")
    broker.tell(answer)


if __name__ == "__main__":
    main()
