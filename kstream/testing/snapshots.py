"""States of a broker that tests keep, go back to, and begin others from."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Snapshot:
    """The whole state of a broker at one moment, in a directory: records, groups, transactions, metadata.

    One in a temporary folder goes with its broker, or at the end of its `with` block.
    """

    def __init__(self, path: Path, *, is_temporary: bool) -> None:
        self.path = path
        self._is_temporary = is_temporary

    def copy_to(self, target: Path) -> None:
        """Copy everything. Raises OSError."""
        shutil.copytree(self.path, target, dirs_exist_ok=True)

    def remove(self) -> None:
        """Remove the directory if it is a temporary one."""
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def temporary_folder() -> Path:
    """A new folder for a broker's data."""
    return Path(tempfile.mkdtemp(prefix="kstream-testing-"))
