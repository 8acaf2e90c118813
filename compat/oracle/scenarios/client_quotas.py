"""DescribeClientQuotas and AlterClientQuotas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compat.oracle.run import Run, scenario
from kstream.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
)
from kstream.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

USER, CLIENT, IP = "user", "client-id", "ip"
EXACT, DEFAULT, ANY = range(3)
PRODUCER, CONSUMER, REQUEST = "producer_byte_rate", "consumer_byte_rate", "request_percentage"
MUTATION, CONNECTIONS = "controller_mutation_rate", "connection_creation_rate"

Entity = Sequence[tuple[str, str | None]]
Values = Sequence[tuple[str, float | None]]
"""Keys and what they shall be; None removes one."""


def _alter(*entries: tuple[Entity, Values], validate_only: bool = False) -> AlterClientQuotasRequest:
    return AlterClientQuotasRequest(
        entries=[
            AlterClientQuotasRequestEntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                ops=[
                    OpData(key=key, value=0.0 if value is None else value, remove=value is None)
                    for key, value in values
                ],
            )
            for entity, values in entries
        ],
        validate_only=validate_only,
    )


def _altered(response: AlterClientQuotasResponse) -> None:
    for entry in response.entries:
        entry.entity.sort(key=lambda part: part.entity_type)
    response.entries.sort(
        key=lambda entry: [(part.entity_type, part.entity_name or "") for part in entry.entity]
    )


def _describe(*components: tuple[str, int, str | None], strict: bool = False) -> DescribeClientQuotasRequest:
    return DescribeClientQuotasRequest(
        components=[
            ComponentData(entity_type=kind, match_type=match_type, match=match)
            for kind, match_type, match in components
        ],
        strict=strict,
    )


def _own(token: str) -> Callable[[DescribeClientQuotasResponse], None]:
    """Keeps the entries of this run, and sorts what has no order."""

    def trim(response: DescribeClientQuotasResponse) -> None:
        if response.entries is None:
            return
        kept = [
            entry
            for entry in response.entries
            if any(token in (part.entity_name or "") for part in entry.entity)
        ]
        for entry in kept:
            entry.entity.sort(key=lambda part: part.entity_type)
            entry.values.sort(key=lambda value: value.key)
        kept.sort(key=lambda entry: [(part.entity_type, part.entity_name or "") for part in entry.entity])
        response.entries = kept

    return trim


@scenario
def alter_client_quotas(run: Run) -> None:
    """Entities and keys that can have quotas, and all the others."""
    user, client = run.name("user"), run.name("client")
    both: Entity = [(USER, user), (CLIENT, client)]
    for version in range(2):

        def alter(note: str, *entries: tuple[Entity, Values]) -> None:
            run.call(note, _alter(*entries, validate_only=True), version, trim=_altered)  # noqa: B023

        alter("nothing")
        alter("no keys", ([(USER, user)], []))
        for entity in ([(USER, user)], [(CLIENT, client)], both, [(IP, "127.0.0.1")]):
            kinds = " and ".join(kind for kind, _ in entity)
            for key in (PRODUCER, CONSUMER, REQUEST, MUTATION, CONNECTIONS, "no_such_key", ""):
                alter(f"{key} of {kinds}", (entity, [(key, 1000.0)]))
        for key in (PRODUCER, REQUEST, MUTATION):
            for value in (0.0, -1.0, 0.5, 1000.5, 1e300, float("inf"), float("nan"), 2.0**53, 2.0**63):
                alter(f"{key} {value}", ([(USER, user)], [(key, value)]))
        for value in (0.0, 0.5, 2.0**31, 10.0):
            alter(f"{CONNECTIONS} {value}", ([(IP, "127.0.0.1")], [(CONNECTIONS, value)]))
        alter("default user", ([(USER, None)], [(PRODUCER, 1e12)]))
        alter("default client", ([(CLIENT, None)], [(PRODUCER, 1e12)]))
        alter("default of both", ([(USER, None), (CLIENT, None)], [(PRODUCER, 1e12)]))
        alter("default address", ([(IP, None)], [(CONNECTIONS, 1e6)]))
        alter("empty user", ([(USER, "")], [(PRODUCER, 1.0)]))
        alter("empty client", ([(CLIENT, "")], [(PRODUCER, 1.0)]))
        alter("no entity", ([], [(PRODUCER, 1.0)]))
        alter("unknown type", ([("group", "g")], [(PRODUCER, 1.0)]))
        alter("type without a name", ([("", "g")], [(PRODUCER, 1.0)]))
        alter("type twice", ([(USER, user), (USER, "b")], [(PRODUCER, 1.0)]))
        alter("address and user", ([(IP, "127.0.0.1"), (USER, user)], [(PRODUCER, 1.0)]))
        for address in ("localhost", "::1", "no.such.host.invalid", "1.2.3", "999.1.1.1"):
            alter(f"address {address}", ([(IP, address)], [(CONNECTIONS, 1.0)]))
        alter("key twice", ([(USER, user)], [(PRODUCER, 1.0), (PRODUCER, 2.0)]))
        alter("key set and removed", ([(USER, user)], [(PRODUCER, 1.0), (PRODUCER, None)]))
        alter("entity twice", ([(USER, user)], [(PRODUCER, 1.0)]), ([(USER, user)], [(CONSUMER, 1.0)]))
        alter("entity in another order", (both, [(PRODUCER, 1.0)]), (both[::-1], [(PRODUCER, 2.0)]))
        alter("remove what is not there", ([(USER, user)], [(PRODUCER, None)]))
        alter("remove an unknown key", ([(USER, user)], [("no_such_key", None)]))
        alter("wrong beside right", ([(USER, user)], [(PRODUCER, 1.0)]), ([], [(PRODUCER, 1.0)]))
        alter("one of two keys wrong", ([(USER, user)], [(PRODUCER, 1.0), ("no_such_key", 1.0)]))


@scenario
def describe_client_quotas(run: Run) -> None:
    """Quotas found by their entities: exactly, by default, any, and strictly or not."""
    user, client, other = run.name("user"), run.name("client"), run.name("other")
    trim = _own(run.token)
    entities: list[tuple[Entity, Values]] = [
        ([(USER, user)], [(PRODUCER, 1000.0), (CONSUMER, 2000.0)]),
        ([(CLIENT, client)], [(REQUEST, 12.5)]),
        ([(USER, user), (CLIENT, client)], [(PRODUCER, 3000.0)]),
        ([(USER, user), (CLIENT, None)], [(PRODUCER, 4000.0)]),
        ([(USER, None), (CLIENT, client)], [(PRODUCER, 5000.0)]),
        ([(USER, other)], [(MUTATION, 6.5)]),
    ]
    run.call("set", _alter(*entities), 1, trim=_altered)
    run.until(_describe((USER, EXACT, other)), 1, lambda answer: len(answer.entries) == 1)
    for version in range(2):

        def ask(note: str, *components: tuple[str, int, str | None]) -> None:
            for strict in (False, True):
                name = f"{note}, strict" if strict else note
                run.call(name, _describe(*components, strict=strict), version, trim=trim)  # noqa: B023

        ask("all")
        for kind, name in ((USER, user), (CLIENT, client), (USER, other)):
            ask(f"{kind} {'other' if name == other else 'ours'}", (kind, EXACT, name))
        for kind in (USER, CLIENT, IP):
            ask(f"any {kind}", (kind, ANY, None))
            ask(f"default {kind}", (kind, DEFAULT, None))
            ask(f"no such {kind}", (kind, EXACT, "10.9.8.7"))
        ask("both", (USER, EXACT, user), (CLIENT, EXACT, client))
        ask("both, the other way", (CLIENT, EXACT, client), (USER, EXACT, user))
        ask("user and default client", (USER, EXACT, user), (CLIENT, DEFAULT, None))
        ask("default user and client", (USER, DEFAULT, None), (CLIENT, EXACT, client))
        ask("any of both", (USER, ANY, None), (CLIENT, ANY, None))
        ask("type twice", (USER, EXACT, user), (USER, EXACT, other))
        ask("address and user", (IP, ANY, None), (USER, ANY, None))
        ask("unknown type", ("group", ANY, None))
        ask("type without a name", ("", ANY, None))
        for match_type in (3, -1):
            ask(f"matching {match_type}", (USER, match_type, None))
        ask("exactly nothing", (USER, EXACT, None))
        ask("exactly the empty name", (USER, EXACT, ""))
        ask("any, with a name", (USER, ANY, user))
        ask("default, with a name", (USER, DEFAULT, user))


@scenario
def client_quotas_life(run: Run) -> None:
    """Set, changed in part, removed in part, and gone."""
    user = run.name("user")
    trim = _own(run.token)
    described = _describe((USER, EXACT, user), strict=True)

    def change(note: str, values: Values, settled: dict[str, float]) -> None:
        run.call(note, _alter(([(USER, user)], values)), 1, trim=_altered)
        run.until(
            described,
            1,
            lambda answer: (
                {each.key: each.value for entry in answer.entries for each in entry.values} == settled
            ),
        )
        run.call(f"after: {note}", described, 1, trim=trim)

    run.call("before", described, 1, trim=trim)
    change("two", [(PRODUCER, 1000.0), (REQUEST, 50.0)], {PRODUCER: 1000.0, REQUEST: 50.0})
    change("one more", [(CONSUMER, 10.0)], {PRODUCER: 1000.0, REQUEST: 50.0, CONSUMER: 10.0})
    change("another value", [(PRODUCER, 5.0)], {PRODUCER: 5.0, REQUEST: 50.0, CONSUMER: 10.0})
    change(
        "one less, one more",
        [(PRODUCER, None), (MUTATION, 7.0)],
        {REQUEST: 50.0, CONSUMER: 10.0, MUTATION: 7.0},
    )
    change("the rest", [(REQUEST, None), (CONSUMER, None), (MUTATION, None)], {})
    change("nothing left to remove", [(REQUEST, None)], {})
