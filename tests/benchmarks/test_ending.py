"""A benchmark that is ended by a signal leaves no process and no folder behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# One server, and a program that a thread waits for, as when a part does something beside something else.
_BENCHMARK = """
import sys, threading, time
from pathlib import Path
from benchmarks import ending
from compat.kstream_server import KstreamServer

ending.heed_signals()
program = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(300)"]
with KstreamServer(parent=Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    threading.Thread(target=ending.run, args=(program,), kwargs={"timeout_s": 300}).start()
    while not ending._running:
        time.sleep(0.01)
    (running,) = ending._running
    print(running.pid, flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_servers_and_load_generators(number: signal.Signals, tmp_path: Path) -> None:
    in_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # where a shell has SIGINT ignored
    benchmark = subprocess.Popen(
        [*in_background, sys.executable, "-c", _BENCHMARK, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with benchmark:
        assert benchmark.stdout is not None
        pids = [int(benchmark.stdout.readline()) for _ in range(2)]
        benchmark.send_signal(number)
        assert benchmark.wait(60) == 128 + number
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert list(tmp_path.iterdir()) == []
