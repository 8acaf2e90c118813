"""The command line: `kstream`, which is `kstream serve`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: the process's arguments) asks for; returns the exit code.

    0 is done, 2 something that the user can put right and was told about in one line, 3 no answer from a
    cluster, 4 a cluster that refuses, 130 an interruption, 1 a defect of kstream.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and _is_for_another_command(arguments[0]):
        return _run_command(arguments)
    from kstream.cli import arguments as serve_arguments

    options = serve_arguments.parse(arguments)
    from kstream.cli import serve  # after parsing, so that --help and mistakes answer at once

    return serve.run(options)


def _is_for_another_command(first: str) -> bool:
    """The server starts without the libraries of the other commands, which take longer to import than it."""
    return first in ("--help", "-h") or (first != "serve" and not first.startswith("-"))


def _run_command(arguments: list[str]) -> int:
    try:
        from kstream.cli import app
    except ModuleNotFoundError as error:
        if arguments[0] in ("--help", "-h"):
            from kstream.cli import arguments as serve_arguments

            serve_arguments.parse(["--help"])
        print(
            f"kstream: {arguments[0]} needs the library {error.name}, which is in the extra cli:"
            " pip install 'kstream[cli]'",
            file=sys.stderr,
        )
        return 2
    return app.run(arguments)
