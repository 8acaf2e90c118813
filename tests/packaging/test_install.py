"""Wheel and source distribution install with pip, pipx and uv, and what they install serves.

Slow: everything is fetched anew, from where pip is told to look.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT

pytestmark = pytest.mark.slow

TIMEOUT_S = 300


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints; AssertionError with all of it if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**_environment(), **environment},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("KAFKA_", "VIRTUAL_ENV"))}


def new_environment(folder: Path, *requirements: str | Path) -> Path:
    """A virtual environment with these installed; returns its folder of programs."""
    run(sys.executable, "-m", "venv", folder)
    if requirements:
        run(folder / "bin" / "pip", "install", "-q", *requirements)
    return folder / "bin"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_environment(tmp_path_factory.mktemp("tools") / "venv", "build", "pipx", "uv")


@pytest.fixture(scope="module")
def distributions(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dist")
    run(tools / "python", "-m", "build", "-q", "--outdir", folder, ROOT)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": source}


def test_they_hold_what_they_should(distributions: dict[str, Path]) -> None:
    names = zipfile.ZipFile(distributions["wheel"]).namelist()
    assert "kstream/py.typed" in names
    assert all(name.startswith(("kstream/", "kstream-")) for name in names)
    with tarfile.open(distributions["sdist"]) as source:
        assert {"README.md", "LICENSE", "pyproject.toml", "docs", "packaging"} <= {
            name.split("/")[1] for name in source.getnames() if "/" in name
        }


def _with_pip(tools: Path, folder: Path, package: Path) -> Path:
    return new_environment(folder / "venv", f"{package}[cli]")


def _with_pipx(tools: Path, folder: Path, package: Path) -> Path:
    run(
        tools / "pipx",
        "install",
        f"{package}[cli]",
        PIPX_HOME=str(folder / "pipx"),
        PIPX_BIN_DIR=str(folder / "bin"),
        PIPX_MAN_DIR=str(folder / "man"),
    )
    return folder / "bin"


def _with_uv(tools: Path, folder: Path, package: Path) -> Path:
    run(
        tools / "uv",
        "tool",
        "install",
        "--python",
        sys.executable,
        f"{package}[cli]",
        UV_TOOL_DIR=str(folder / "uv"),
        UV_TOOL_BIN_DIR=str(folder / "bin"),
        UV_CACHE_DIR=str(folder / "cache"),
    )
    return folder / "bin"


@pytest.mark.parametrize("installer", [_with_pip, _with_pipx, _with_uv], ids=["pip", "pipx", "uv"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_an_installed_one_serves(
    installer: Callable[[Path, Path, Path], Path],
    kind: str,
    tools: Path,
    distributions: dict[str, Path],
    tmp_path: Path,
) -> None:
    program = installer(tools, tmp_path, distributions[kind]) / "kstream"
    assert "Apache Kafka" in run(program, "--version")
    server = subprocess.Popen(
        [program, "serve", "--ephemeral", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[2]
        run(program, "produce", "greetings", "--value", "hello", "--bootstrap", address)
        printed = run(
            program, "consume", "greetings", "--from", "beginning", "--until", "end", "--bootstrap", address
        )
        assert printed == "hello\n"
    finally:
        server.terminate()
        assert server.wait(10) == 0
        assert server.stdout is not None
        server.stdout.close()


def test_the_core_alone_serves_and_says_what_commands_need(
    distributions: dict[str, Path], tmp_path: Path
) -> None:
    program = new_environment(tmp_path / "venv", distributions["wheel"]) / "kstream"
    done = subprocess.run([program, "topics", "list"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "kstream[cli]" in done.stderr
