"""Two recordings of a scenario side by side, and the differences that are allowed."""

from __future__ import annotations

import re
from typing import NamedTuple

from compat.oracle.flatten import MESSAGE_FIELDS
from compat.oracle.golden import ANSWER, Exchange


class Difference(NamedTuple):
    """One field of one exchange that is not what Kafka answers."""

    scenario: str
    exchange: str
    field: str
    kafka: str
    ours: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.exchange}\n    {self.field}: Kafka {self.kafka}, kstream {self.ours}"


class Allowed(NamedTuple):
    """A difference on purpose. In the first three, `*` stands for anything."""

    scenario: str
    exchange: str
    field: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Whether this entry is about that difference."""
        return (
            _matches(self.scenario, difference.scenario)
            and _matches(self.exchange, difference.exchange)
            and _matches(self.field, difference.field)
        )


class Comparison(NamedTuple):
    """What became of one exchange."""

    exchange: Exchange
    unexplained: list[Difference]
    explained: list[tuple[Difference, Allowed]]


def compare(
    scenario: str, kafka: list[Exchange], ours: list[Exchange], allowed: list[Allowed], failure: str = ""
) -> list[Comparison]:
    """Every exchange of Kafka's with what differs in ours; a missing or an additional one differs whole."""
    comparisons = []
    lost = ""
    for index, theirs in enumerate(kafka):
        mine = ours[index] if index < len(ours) else None
        if not lost and (mine is None or mine.name != theirs.name):
            lost = failure or (f"went another way: {mine.name}" if mine else "ended before")
        if mine is None or lost:
            gone = Difference(scenario, theirs.name, "exchange", "present", lost)
            comparisons.append(Comparison(theirs, [gone], []))
        else:
            comparisons.append(_sorted_out(theirs, differing_fields(scenario, theirs, mine), allowed))
    comparisons.extend(
        Comparison(mine, [Difference(scenario, mine.name, "exchange", "absent", "present")], [])
        for mine in (() if lost else ours[len(kafka) :])
    )
    return comparisons


def stale(results: dict[str, list[Comparison]], allowed: list[Allowed]) -> list[Allowed]:
    """The entries that no longer stand for any difference, given the results of all scenarios."""
    used = {entry for comparisons in results.values() for item in comparisons for _, entry in item.explained}
    return [entry for entry in allowed if entry not in used]


def _sorted_out(exchange: Exchange, differences: list[Difference], allowed: list[Allowed]) -> Comparison:
    unexplained, explained = [], []
    for difference in differences:
        entry = next((each for each in allowed if each.covers(difference)), None)
        if entry is None:
            unexplained.append(difference)
        else:
            explained.append((difference, entry))
    return Comparison(exchange, unexplained, explained)


def differing_fields(scenario: str, theirs: Exchange, mine: Exchange) -> list[Difference]:
    """What differs between two answers to the same request."""
    if theirs.outcome != mine.outcome or theirs.outcome != ANSWER:
        if theirs.outcome == mine.outcome:
            return []
        return [Difference(scenario, theirs.name, "outcome", _told(theirs), _told(mine))]
    differences = []
    for path in theirs.answer | mine.answer:
        expected = theirs.answer.get(path, "missing")
        found = mine.answer.get(path, "missing")
        if expected != found and not _both_have_words(path, expected, found):
            differences.append(Difference(scenario, theirs.name, path, expected, found))
    return differences


def _told(exchange: Exchange) -> str:
    if exchange.outcome != ANSWER:
        return exchange.outcome
    return " ".join(f"{path}={token}" for path, token in list(exchange.answer.items())[:12])


def _both_have_words(path: str, expected: str, found: str) -> bool:
    return path.rpartition(".")[2] in MESSAGE_FIELDS and expected.startswith('"') and found.startswith('"')


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
