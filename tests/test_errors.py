"""Error codes: their meanings, and which of them clients try again after."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kstream.errors import ApiError, ErrorCode, ProtocolError


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.name)
def test_every_code_has_a_meaning(code: ErrorCode) -> None:
    assert 5 < len(code.meaning) < 90
    assert not code.meaning.endswith(".")


def test_meanings_differ() -> None:
    assert len({code.meaning for code in ErrorCode}) == len(ErrorCode)


def test_meanings_are_not_loaded_at_import() -> None:
    program = "import sys, kstream.errors; sys.exit('kstream.error_meanings' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_errors_say() -> None:
    assert str(ApiError(ErrorCode.INVALID_CONFIG, "no such key")) == "INVALID_CONFIG (40): no such key"
    assert str(ApiError(ErrorCode.INVALID_CONFIG)) == "INVALID_CONFIG (40)"
    assert str(ProtocolError("too long", where="FetchRequest v4")) == "FetchRequest v4: too long"
    assert ErrorCode.NOT_LEADER_OR_FOLLOWER.is_retriable
    assert not ErrorCode.INVALID_CONFIG.is_retriable
