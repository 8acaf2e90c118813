"""What the README says of itself. Its commands and programs are run by tests/docs."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_commands_are_those_of_continuous_integration() -> None:
    """`.ci/run` runs the README's own test command, so what a newcomer pastes is what is tested."""
    (command,) = re.findall(
        r'^test_command="(.*)"$', (README.parent / ".ci" / "run").read_text(), re.MULTILINE
    )
    assert f"\n{command}\n" in README.read_text()
