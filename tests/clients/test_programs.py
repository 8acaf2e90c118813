"""Clients that are programs: where they are, how builds are kept, and what a client is not asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat import builds
from compat.clients.programs import PROGRAMS
from compat.clients.remote import received, sent
from compat.matrix.entries import ENTRIES
from compat.story import OutRecord, Traits, records_for

_MANIFESTS = {
    "c": "librdkafka.c",
    "go": "go.sum",
    "java": "Lines.java",
    "node": "package-lock.json",
    "python": "requirements.txt",
    "rust": "Cargo.lock",
}


def test_every_program_has_a_language_that_is_built_from_pinned_versions_and_a_row() -> None:
    entries = {entry.name for entry in ENTRIES}
    for name, program in PROGRAMS.items():
        assert (builds.PROGRAMS / program.language / _MANIFESTS[program.language]).is_file(), name
        assert name in entries
    lock = (builds.PROGRAMS / "node" / "package-lock.json").read_text()
    assert '"resolved"' not in lock, "npm config set omit-lockfile-registry-resolved true"


def test_a_build_takes_its_name_once_it_is_whole(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    def half() -> None:
        with builds._making(kept) as folder:
            (folder / "half").touch()
            raise RuntimeError("it does not compile")

    with pytest.raises(RuntimeError):
        half()
    assert list(tmp_path.iterdir()) == [], "nothing is left of one that failed"
    with builds._making(kept) as folder:
        (folder / "whole").touch()
        assert not kept.exists()
    assert [path.name for path in kept.iterdir()] == ["whole"]
    with builds._making(kept) as folder:
        (folder / "late").touch()
    assert [path.name for path in kept.iterdir()] == ["whole"], "the first one stays"
    assert list(tmp_path.iterdir()) == [kept]


def test_a_build_is_kept_by_what_its_sources_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(builds, "PROGRAMS", tmp_path)
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    before = builds._digest(source)
    assert builds._digest(tmp_path) == before
    source.write_text("int main(void) { return 1; }\n")
    assert builds._digest(source) != before


def test_records_travel_as_they_are() -> None:
    for record in records_for(Traits(), 12):
        assert received(sent(record)) == record


def test_a_client_is_not_asked_for_what_it_cannot_do() -> None:
    traits = Traits(
        tells_empty_from_null=False, sends_null_headers=False, keeps_header_order=False, repeats_headers=False
    )
    (odd,) = (record for record in records_for(traits, 6) if len(record.headers) > 1)
    assert odd == OutRecord(None, None, (("empty", b"again"), ("null", b"")), odd.timestamp_ms)
    assert [record.value for record in records_for(traits, 12)].count(b"") == 0
