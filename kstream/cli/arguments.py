"""What may stand on the command line.

This is argparse although cyclopts would say it shorter: cyclopts takes 50 to 100 ms to import, argparse 3,
and the whole way from the command to the first acknowledged record has 800.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from kstream import __version__

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")

_DESCRIPTION = "A streaming server that speaks the Apache Kafka protocol: stock clients connect unchanged."
_EPILOG = """\
examples:
  kstream                                         serve 127.0.0.1:9092, keep data in ./kstream-data
  kstream --ephemeral --listen 127.0.0.1:0        for a test: any free port, nothing is left behind
  kstream --topic orders:6 --topic audit          with two topics, created if they are not there
  kstream --listen 0.0.0.0:9092                   reachable from other machines and containers
  kstream --config server.properties --set num.partitions=3
  kstream --ephemeral --http 127.0.0.1:9644       with HTTP for tests in any language, and /metrics

Once clients are served, one line goes to standard output: kstream ready HOST:PORT
The log goes to standard error. SIGTERM or Ctrl-C stops cleanly, a second one at once.

Settings are Kafka's own keys. --set wins over the environment (KAFKA_LOG_RETENTION_MS is
log.retention.ms, as in the official container image), which wins over --config.
"""


class Topic(NamedTuple):
    """A topic to create at start; `partitions` None means the broker's `num.partitions`."""

    name: str
    partitions: int | None


class Options(NamedTuple):
    """The parsed command line of `kstream serve`."""

    listen: str | None
    advertise: str | None
    data: str | None
    ephemeral: bool
    config: str | None
    settings: tuple[str, ...]
    topics: tuple[Topic, ...]
    log_level: str
    http: str | None = None
    trace: str | None = None
    http_token: str | None = None
    log_format: str = "text"
    otel: bool = False


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, where argparse would print its usage too."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"kstream: {message}; kstream --help shows what there is\n")


def parse(argv: Sequence[str]) -> Options:
    """The options in `argv`. Exits the process for --help and --version (0) and for mistakes (2)."""
    arguments = list(argv)
    parser = make_parser()
    if arguments and not arguments[0].startswith("-"):
        command = arguments.pop(0)
        if command != "serve":
            parser.error(f"unknown command {command}: the only one is serve")
    parsed = parser.parse_args(arguments)
    if parsed.data is not None and parsed.ephemeral:
        parser.error("--data keeps data and --ephemeral throws it away: give one of them")
    for topic in parsed.topic:
        if sum(other.name == topic.name for other in parsed.topic) > 1:
            parser.error(f"--topic names {topic.name} twice: name each topic once")
    return Options(
        listen=parsed.listen,
        advertise=parsed.advertise,
        data=parsed.data,
        ephemeral=parsed.ephemeral,
        config=parsed.config,
        settings=tuple(parsed.set),
        topics=tuple(parsed.topic),
        log_level=parsed.log_level,
        http=parsed.http,
        trace=parsed.trace,
        http_token=parsed.http_token,
        log_format=parsed.log_format,
        otel=parsed.otel,
    )


def parse_topic(text: str) -> Topic:
    """`NAME` or `NAME:PARTITIONS`. Raises argparse.ArgumentTypeError with what is wrong."""
    name, colon, count = text.partition(":")
    if name in ("", ".", "..") or len(name) > 249 or not re.fullmatch(r"[a-zA-Z0-9._-]+", name):
        raise argparse.ArgumentTypeError(
            f"{text}: a topic's name is 1 to 249 letters, digits, dots, underscores and hyphens"
        )
    if colon and not (count.isdecimal() and int(count) > 0):
        raise argparse.ArgumentTypeError(
            f"{text}: after the colon comes a number of partitions, such as {name}:3"
        )
    return Topic(name, int(count) if colon else None)


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kstream",
        usage="kstream [serve] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--listen",
        metavar="HOST:PORT",
        help="where to listen; port 0 picks a free one (default: 127.0.0.1:9092)",
    )
    add(
        "--advertise",
        metavar="HOST:PORT",
        help="what clients are told to connect to (default: the address each one came in on);"
        " NAME://HOST:PORT, comma-separated, where listeners have names",
    )
    add("--data", metavar="DIR", help="where records are kept (default: ./kstream-data)")
    add("--ephemeral", action="store_true", help="keep records in a temporary folder, removed at exit")
    add("--config", metavar="FILE", help="a server.properties file, as Kafka has")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="one setting; may be repeated")
    add(
        "--topic",
        metavar="NAME[:PARTITIONS]",
        action="append",
        default=[],
        type=parse_topic,
        help="create a topic if it is not there; may be repeated",
    )
    add(
        "--http",
        metavar="HOST:PORT",
        help="offer HTTP there: topics, records, groups, a clock to move, metrics for Prometheus;"
        " /openapi.json says how (needs the extra http)",
    )
    add(
        "--trace",
        metavar="FILE",
        help="note all requests and answers in a file, up to 256 MB, for kstream trace",
    )
    add(
        "--http-token",
        metavar="TOKEN",
        help="what every HTTP request must bring, as Authorization: Bearer TOKEN; needed where others than"
        " this machine can connect (better in KSTREAM_HTTP_TOKEN, which nobody sees in a list of processes)",
    )
    add(
        "--otel",
        action="store_true",
        help="send OpenTelemetry spans of appends and fetches, for records with a traceparent header, where"
        " the OTEL_* variables say (needs the extra otel)",
    )
    add(
        "--log-level",
        metavar="LEVEL",
        choices=LOG_LEVELS,
        default="info",
        help=f"least level that is logged: {', '.join(LOG_LEVELS)} (default: info)",
    )
    add(
        "--log-format",
        metavar="FORMAT",
        choices=LOG_FORMATS,
        default="text",
        help="text for people, or json: one object a line (default: text)",
    )
    add(
        "--version",
        action="version",
        version=f"kstream {__version__}, speaks the protocol of Apache Kafka 4.4.0",
    )
    return parser
