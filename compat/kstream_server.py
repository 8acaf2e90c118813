"""kstream as a process of its own, started as a user starts it.

    with KstreamServer() as server:
        Producer({"bootstrap.servers": server.bootstrap})
        server.kill()
        server.start()  # same port, same data

Nothing of kstream is imported: what is tested is the program.
"""

from __future__ import annotations

import os
import select
import subprocess
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.server_process import HOST, ServerProcess

_READY = "kstream ready "


class KstreamServer(ServerProcess):
    """`kstream serve`, on a free port the first time and on the same one after.

    `settings` become `--set KEY=VALUE`, and `arguments` end the command line. `ready_address` is what the
    ready line said.
    """

    name = "kstream"
    reads_stdout = True

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        arguments: Sequence[str] = (),
        folder: Path | None = None,
        parent: Path | None = None,
        start_timeout_s: float = 60.0,
    ) -> None:
        super().__init__(folder=folder, parent=parent, start_timeout_s=start_timeout_s)
        self._settings = dict(settings or {})
        self._arguments = list(arguments)
        self.data_dir = self.folder / "data"
        self.ready_address = ""

    def command(self) -> Sequence[str]:
        """The installed `kstream` program of this Python."""
        program = str(Path(sysconfig.get_path("scripts")) / "kstream")
        settings = [part for key, value in self._settings.items() for part in ("--set", f"{key}={value}")]
        listen = ["--listen", f"{HOST}:{self.port}", "--data", str(self.data_dir)]
        return [program, "serve", *listen, *settings, *self._arguments]

    def wait_ready(self) -> None:
        """Read the one line that the server prints on stdout once clients are served."""
        line = self._first_line()
        if not line.startswith(_READY):
            raise self.failed(f"printed {line!r} where its ready line was expected")
        self.ready_address = line.removeprefix(_READY).strip()
        self.port = int(self.ready_address.split(",")[0].rpartition(":")[2])

    def _first_line(self) -> str:
        stdout = self.process.stdout
        if stdout is None:
            raise RuntimeError("stdout is not a pipe")
        deadline = time.monotonic() + self.start_timeout_s
        received = b""
        while not received.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise self.failed(f"was not ready within {self.start_timeout_s:g} s")
            piece = os.read(stdout.fileno(), 4096)
            if not piece:
                raise self.failed(f"ended with exit code {self._exit_code()} before it was ready")
            received += piece
        return received.decode()

    def _exit_code(self) -> int | None:
        try:
            return self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            return None
