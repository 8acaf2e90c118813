"""`kstream faults`: what goes wrong on purpose in a server that serves `--http`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from kstream.cli.output import AsJson, print_json, print_rows, say
from kstream.cli.over_http import HttpServer
from kstream.replay.errors import ReplayError

app = App(name="faults", help="Have things go wrong on purpose, in a server that serves --http.")

_COLUMNS = ["id", "kind", "whom", "how", "hits", "is_active"]
_WHOM = ("api", "client_id", "topic", "group", "transactional_id")
_SAID = {*_WHOM, "id", "kind", "hits", "is_active"}

Api = Annotated[list[str] | None, Parameter(help="An API, such as Produce; may be repeated.")]
Client = Annotated[str | None, Parameter(name="--client-id", help="A client id; * stands for anything.")]
Topic = Annotated[str | None, Parameter(help="A topic; * stands for anything.")]
Group = Annotated[str | None, Parameter(help="A group; * stands for anything.")]
Transaction = Annotated[
    str | None, Parameter(name="--transactional-id", help="A transactional id; * stands for anything.")
]


@app.command(name="list")
def list_faults(*, as_json: AsJson = False, server: HttpServer | None = None) -> None:
    """List the faults that are set, and how often each happened."""
    faults = (server or HttpServer()).ask("GET", "/v1/faults")
    if as_json:
        print_json(faults)
        return
    print_rows([_row(fault) for fault in faults], _COLUMNS, as_json=False, none="no faults are set")


@app.command
def add(
    kind: Literal[
        "error", "latency", "stall", "drop", "torn", "throttle", "disk_full", "disk_slow",
        "move_coordinator", "bump_epoch", "crash",
    ],
    /,
    *,
    api: Api = None,
    client_id: Client = None,
    topic: Topic = None,
    group: Group = None,
    transactional_id: Transaction = None,
    error: Annotated[str | None, Parameter(help="Kafka's name of an error, for kind error.")] = None,
    ms: Annotated[int | None, Parameter(help="How long it takes.")] = None,
    bytes: Annotated[int | None, Parameter(help="How much of a torn answer is sent.")] = None,
    when: Annotated[
        Literal["before", "after"] | None, Parameter(help="Before or after the request took effect.")
    ] = None,
    count: Annotated[int | None, Parameter(help="How often it happens (default: always).")] = None,
    skip: Annotated[int | None, Parameter(help="How many requests go by first.")] = None,
    probability: Annotated[float | None, Parameter(help="How likely it is each time, up to 1.")] = None,
    seed: Annotated[int | None, Parameter(help="What decides, so that it can be repeated.")] = None,
    as_json: AsJson = False,
    server: HttpServer | None = None,
) -> None:  # fmt: skip
    """Set a fault; docs/faults.md says what each kind does and takes.

    Parameters
    ----------
    kind
        What goes wrong.
    """
    given = {
        "kind": kind,
        "api": api,
        "client_id": client_id,
        "topic": topic,
        "group": group,
        "transactional_id": transactional_id,
        "error": error,
        "ms": ms,
        "bytes": bytes,
        "when": when,
        "count": count,
        "skip": skip,
        "probability": probability,
        "seed": seed,
    }
    body = {name: value for name, value in given.items() if value is not None and value != []}
    _tell([(server or HttpServer()).ask("POST", "/v1/faults", body)], as_json=as_json)


@app.command
def clear(*ids: int, server: HttpServer | None = None) -> None:
    """Remove faults, all if none is named; what they hold up goes on.

    Parameters
    ----------
    ids
        Numbers that `kstream faults list` shows.
    """
    server = server or HttpServer()
    for path in [f"/v1/faults/{each}" for each in ids] or ["/v1/faults"]:
        server.ask("DELETE", path)
    say("removed" if ids else "no faults are set now")


@app.command
def scenarios(*, as_json: AsJson = False, server: HttpServer | None = None) -> None:
    """List the named scenarios, with what happens in each and what a client should do."""
    del server  # they are the same everywhere: nobody need be asked
    from kstream.faults.scenarios import described

    print_rows(described(), ["name", "summary", "expected"], as_json=as_json, none="")


@app.command
def start(
    scenario: str,
    /,
    *,
    api: Api = None,
    client_id: Client = None,
    topic: Topic = None,
    group: Group = None,
    transactional_id: Transaction = None,
    seed: Annotated[int | None, Parameter(help="What decides, so that it can be repeated.")] = None,
    as_json: AsJson = False,
    server: HttpServer | None = None,
) -> None:
    """Set the faults of a scenario, such as flaky-coordinator.

    Parameters
    ----------
    scenario
        Its name; dashes may stand for spaces.
    """
    if not scenario.strip():
        raise ReplayError("name a scenario: kstream faults scenarios lists them")
    given = {
        "api": api,
        "client_id": client_id,
        "topic": topic,
        "group": group,
        "transactional_id": transactional_id,
        "seed": seed,
    }
    body = {name: value for name, value in given.items() if value is not None and value != []}
    _tell((server or HttpServer()).ask("POST", f"/v1/scenarios/{quote(scenario)}", body), as_json=as_json)


def _tell(faults: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(faults)
        return
    print_rows([_row(fault) for fault in faults], _COLUMNS, as_json=False, none="")


def _row(fault: dict[str, Any]) -> dict[str, Any]:
    whom = [f"{name}={_text(fault[name])}" for name in _WHOM if name in fault]
    how = [f"{name}={value}" for name, value in fault.items() if name not in _SAID]
    return fault | {"whom": " ".join(whom) or "everybody", "how": " ".join(how)}


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
