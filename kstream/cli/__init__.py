"""The command line: `kstream`, which is `kstream serve`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: the process's arguments) asks for; returns the exit code.

    0 is a clean stop, 2 something that the user can put right and was told about in one line, 1 a defect of
    kstream.
    """
    from kstream.cli import arguments

    options = arguments.parse(sys.argv[1:] if argv is None else argv)
    from kstream.cli import serve  # after parsing, so that --help and mistakes answer at once

    return serve.run(options)
