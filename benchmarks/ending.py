"""Who ends the benchmark ends its servers and load generators with it, whichever thread waits for them.

A shell that starts a program in the background has it ignore SIGINT: it is heeded here all the same.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_running: set[subprocess.Popen[str]] = set()


def heed_signals() -> None:
    """From now on SIGTERM, SIGHUP and SIGINT end what `run` runs, and then the main thread by SystemExit,
    which closes servers and removes folders on its way. A second one does not disturb that.
    """
    for number in _SIGNALS:
        signal.signal(number, _end)


def run(command: Sequence[str], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `subprocess.run`; a signal ends it, whatever thread this is.

    Raises subprocess.TimeoutExpired.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _running.add(process)
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except BaseException:
            process.kill()
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    for process in list(_running):
        process.kill()
    raise SystemExit(128 + number)
