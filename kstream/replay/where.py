"""Which records are meant: `key=alice`, `header.type!=ping`, `value~error|warning`, `partition=3`.

| form | holds if |
|---|---|
| `FIELD=TEXT`, `FIELD!=TEXT` | the field is exactly the text; is not |
| `FIELD~REGEX`, `FIELD!~REGEX` | the regular expression (Python's) is found in it; is not |

A field is `key`, `value`, `partition` or `header.NAME`; a header that is there several times holds if one
of its values does. What is null or absent equals nothing and matches nothing. Several conditions must all
hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from kstream.replay.errors import ReplayError
from kstream.replay.event import Event

Condition = Callable[[Event], bool]

_FORM = re.compile(r"(key|value|partition|header\.[^=~!]+)(!?)([=~])(.*)", re.DOTALL)


def parse_condition(text: str) -> Condition:
    """The condition that `text` states. Raises `ReplayError`."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise ReplayError(
            f"{text} is no condition: write key=TEXT, value~REGEX, header.NAME=TEXT or partition=NUMBER,"
            " with != and !~ for the opposite"
        )
    field, is_negated, operator, operand = form.groups()
    holds = _test(operator, operand)
    values = _getter(field)

    def condition(event: Event) -> bool:
        return any(value is not None and holds(value) for value in values(event)) is not bool(is_negated)

    return condition


def all_of(texts: Sequence[str]) -> Condition | None:
    """One condition from several; None without any, so that nothing is asked of each record."""
    conditions = [parse_condition(text) for text in texts]
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else lambda event: all(each(event) for each in conditions)


def _getter(field: str) -> Callable[[Event], Iterable[bytes | None]]:
    if field == "key":
        return lambda event: (event.key,)
    if field == "value":
        return lambda event: (event.value,)
    if field == "partition":
        return lambda event: (None if event.partition is None else str(event.partition).encode(),)
    name = field.removeprefix("header.")
    return lambda event: (value for key, value in event.headers if key == name)


def _test(operator: str, operand: str) -> Callable[[bytes], bool]:
    wanted = operand.encode()
    if operator == "=":
        return lambda value: value == wanted
    try:
        found = re.compile(wanted).search
    except re.error as error:
        raise ReplayError(f"{operand} is no regular expression: {error}") from None
    return lambda value: found(value) is not None
