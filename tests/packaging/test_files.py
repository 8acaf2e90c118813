"""The container file, the compose file and the systemd unit, as far as can be told without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from compat.kstream_server import KstreamServer
from kstream.config.load import load
from tests.docs.snippets import ROOT

PACKAGING = ROOT / "packaging"


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions with their arguments, continued lines joined."""
    text = (PACKAGING / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def environment(kind: str = "ENV") -> dict[str, str]:
    """What the image sets."""
    (text,) = (arguments for name, arguments in instructions() if name == kind)
    return dict(re.findall(r"(\w+)=(\S+)", text))


def test_the_image_copies_what_the_build_needs() -> None:
    copied = [
        source
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]
    needed = {"pyproject.toml", "kstream", "README.md", "LICENSE"}
    assert set(copied) == needed
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.clients
def test_the_entry_point_serves_with_the_environment_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_point = json.loads(next(arguments for name, arguments in instructions() if name == "ENTRYPOINT"))
    health = json.loads(
        next(arguments for name, arguments in instructions() if name == "HEALTHCHECK").partition("CMD ")[2]
    )
    for name, value in environment().items():
        if name.startswith("KAFKA_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_ADVERTISED_LISTENERS", "")
    with KstreamServer() as server:
        assert list(server.command())[1:2] == entry_point[1:]
        check = [each.replace("127.0.0.1:9092", server.bootstrap) for each in health]
        program = str(Path(server.command()[0]))
        assert subprocess.run([program, *check[1:]], capture_output=True, check=False).returncode == 0
    # Nobody there: unhealthy.
    assert subprocess.run([program, *check[1:]], capture_output=True, check=False).returncode != 0


def test_the_settings_of_the_image_and_of_compose_are_understood() -> None:
    compose = yaml.safe_load((PACKAGING / "compose.yaml").read_text())
    service = compose["services"]["kafka"]
    assert (PACKAGING / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    given = {**environment(), **service["environment"]}
    config, notes = load(file=None, environment=given, settings=[])
    assert [(each.host, each.port) for each in config.listeners] == [("0.0.0.0", 9092), ("0.0.0.0", 29092)]
    assert [(each.host, each.port) for each in config.advertised_listeners] == [
        ("localhost", 9092),
        ("kafka", 29092),
    ]
    assert config.log_dirs[0] == service["volumes"][0].partition(":")[2]
    assert not [note for note in notes if note.is_warning]


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "kstream.service"
    text = (PACKAGING / "kstream.service").read_text()
    program = tmp_path / "kstream"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit.write_text(text.replace("/opt/kstream/bin/kstream", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert "kstream.service" not in done.stderr, done.stderr
