"""`kstream`'s commands. Each is imported when it is asked for; the server does not pass through here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from kstream import __version__
from kstream.errors import KstreamError
from kstream.replay.errors import NoAnswer, Refused

OK, DEFECT, MISTAKE, NO_ANSWER, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130

_HELP = """A streaming server that speaks the Apache Kafka protocol, and the tools around it.

`kstream` alone is `kstream serve`. The other commands work with any Kafka cluster.
"""

_EPILOGUE = """Exit codes: 0 done, 2 a mistake in what was asked, 3 no answer from the cluster, 4 the cluster
refused, 130 interrupted, 1 a defect of kstream.
"""

_SERVER = Group("Server", sort_key=1)
_RECORDS = Group("Records", sort_key=2)
_CLUSTER = Group("Cluster", sort_key=3)
_TESTING = Group("Testing", sort_key=4)
_MORE = Group("More", sort_key=5)

_COMMANDS: list[tuple[str, str, Group]] = [
    ("produce", "Write records from standard input, a file or the command line.", _RECORDS),
    ("consume", "Print a topic's records: a range of them, or as they come.", _RECORDS),
    ("replay", "Carry records from a topic, file or data directory to another, at any speed.", _RECORDS),
    ("dump", "Explain a segment, an index, a snapshot or a whole partition on disk.", _RECORDS),
    ("topics", "List, create, describe, alter and delete topics.", _CLUSTER),
    ("groups", "List and describe consumer groups with their lag; reset and delete them.", _CLUSTER),
    ("queue", "Share groups as queues: depth, contents, purging; redrive of dead letters.", _CLUSTER),
    ("configs", "Show and change settings of topics, brokers and groups.", _CLUSTER),
    ("why", "Explain why nothing arrives at a consumer group.", _CLUSTER),
    ("cluster", "Who is there: brokers, controller, counts.", _CLUSTER),
    ("top", "Watch topics, rates, groups and lag live.", _CLUSTER),
    ("stats", "A kstream server's request rates, latencies, errors and queues.", _CLUSTER),
    ("faults", "Have things go wrong on purpose, in a server that serves --http.", _TESTING),
    ("trace", "Decode wire traffic that kstream serve --trace wrote, or replay it.", _TESTING),
    ("bench", "A quick figure of what this machine does.", _MORE),
]


def build() -> App:
    """The whole command line as cyclopts sees it."""
    app = App(
        name="kstream",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_flags=["--help", "-h"],
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative="", show_default=False),
        version=f"kstream {__version__}, speaks the protocol of Apache Kafka 4.4.0",
    )
    app.command(_serve(), name="serve", group=_SERVER)
    for name, summary, group in _COMMANDS:
        app.command(f"kstream.cli.{name}:app", name=name, help=summary, group=group)
    app.command(completion, group=_MORE)
    return app


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the completion script of a shell; the first lines say where to put it.

    Parameters
    ----------
    shell
        The shell to complete in.
    """
    print(build().generate_completion(prog_name="kstream", shell=shell))


def run(argv: Sequence[str]) -> int:
    """Run a command; returns the exit code. What a person can put right is one line on stderr."""
    try:
        build()(list(argv), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        print(f"kstream: {' '.join(str(error).split())} kstream --help shows what there is", file=sys.stderr)
        return MISTAKE
    except KstreamError as error:
        print(f"kstream: {error}", file=sys.stderr)
        return (
            NO_ANSWER if isinstance(error, NoAnswer) else REFUSED if isinstance(error, Refused) else MISTAKE
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has enough; nothing is left to say, nor to flush
        return OK
    return OK


def _serve() -> Callable[..., None]:
    """`serve` with the options of its own parser, so that help and completion know them."""
    import inspect

    from kstream.cli.arguments import make_parser

    parameters = []
    for action in make_parser()._actions:
        name = action.option_strings[-1]
        if name in ("--help", "--version"):
            continue
        kind: Any = bool if action.nargs == 0 else Literal[tuple(action.choices)] if action.choices else str
        default: Any = False if kind is bool else None
        annotation: Any = Annotated[
            kind if kind is bool else kind | None, Parameter(name=name, help=action.help)
        ]
        parameters.append(
            inspect.Parameter(
                action.dest, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
        )

    def serve(**_: Any) -> None:
        """Run the server."""

    serve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    serve.__annotations__ = {each.name: each.annotation for each in parameters}
    return serve
