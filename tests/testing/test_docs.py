"""The snippets of docs/testing.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.testing.test_pytest_plugin import ROOT, run_pytest


def test_snippets(tmp_path: Path) -> None:
    plain, plugin = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "testing.md").read_text(), re.MULTILINE | re.DOTALL
    )
    exec(compile(plain, "docs/testing.md", "exec"), {})
    done = run_pytest(tmp_path, plugin)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
