"""One fault: whom it meets, and how often."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, TypedDict

from kstream.errors import ErrorCode, KstreamError
from kstream.faults.kinds import OPTIONS, Kind
from kstream.wire.apis import ApiKey, api

_WHENS = ("before", "after")
_TEXTS = ("client_id", "topic", "group", "transactional_id")
_EVERYWHERE = frozenset({"kind", "count", "skip", "probability", "seed"})


class BadFault(KstreamError):
    """A fault that cannot be; the message says what to do."""


class FaultOptions(TypedDict, total=False):
    """What a fault can be told; `kinds.OPTIONS` says which kind takes what."""

    api: str | int | Sequence[str | int]
    client_id: str
    topic: str
    group: str
    transactional_id: str
    count: int
    skip: int
    probability: float
    seed: int
    error: str | int
    ms: int
    bytes: int
    when: Literal["before", "after"]


class Seen(NamedTuple):
    """A request, as faults look at it."""

    api: ApiKey
    client_id: str = ""
    topics: Collection[str] = ()
    groups: Collection[str] = ()
    transactional_ids: Collection[str] = ()


class Fault:
    """What shall go wrong, for whom, how often: made by `Faults.add`, which says what may be given."""

    __slots__ = (
        "_random",
        "apis",
        "bytes",
        "client_id",
        "count",
        "error",
        "group",
        "hits",
        "id",
        "is_removed",
        "kind",
        "ms",
        "passed",
        "probability",
        "seed",
        "skip",
        "topic",
        "transactional_id",
        "when",
    )

    def __init__(self, fault_id: int, described: Mapping[str, Any]) -> None:
        """From what `describe` gives. Raises BadFault."""
        given = {name: value for name, value in described.items() if value is not None}
        self.id = fault_id
        self.kind = _kind(given.get("kind"))
        options = OPTIONS[self.kind]
        allowed = options.needs | options.takes | _EVERYWHERE
        for name in given:
            if name not in allowed:
                raise BadFault(
                    f"{self.kind} takes no {name}: it takes {', '.join(sorted(allowed - {'kind'}))}"
                )
        for name in options.needs:
            if name not in given:
                raise BadFault(f"{self.kind} needs {name}")
        self.apis = _apis(given.get("api", ()))
        self.client_id, self.topic, self.group, self.transactional_id = (
            _text(name, given.get(name)) for name in _TEXTS
        )
        self.count = _whole("count", given.get("count"), least=1)
        """How often it happens; None: as long as it is there."""
        self.skip = _whole("skip", given.get("skip"), least=0) or 0
        """How many requests that it could have met go by first."""
        self.probability = _probability(given.get("probability", 1.0))
        seed = _whole("seed", given.get("seed"), least=0)
        self.seed = random.getrandbits(32) if seed is None else seed
        self.error = None if "error" not in given else _error(given["error"])
        self.ms = _whole("ms", given.get("ms"), least=0)
        self.bytes = _whole("bytes", given.get("bytes"), least=0)
        self.when = _when(given.get("when", "before"))
        if self.is_immediate:
            if self.skip or (self.count or 1) > 1:
                raise BadFault(f"{self.kind} without api happens once, and at once")
            self.count = 1
        self.hits = 0
        self.passed = 0
        self.is_removed = False
        self._random = random.Random(self.seed)

    @property
    def is_active(self) -> bool:
        """Whether it can still happen."""
        return not self.is_removed and (self.count is None or self.hits < self.count)

    @property
    def is_of_disk(self) -> bool:
        return OPTIONS[self.kind].is_of_disk

    @property
    def is_immediate(self) -> bool:
        """Whether it happens at once, rather than to a request."""
        return OPTIONS[self.kind].is_event and not self.apis

    def meets(self, seen: Seen) -> bool:
        """Whether it happens to this request; counts that it did."""
        if self.apis and seen.api not in self.apis:
            return False
        if self.client_id is not None and not fnmatchcase(seen.client_id, self.client_id):
            return False
        for pattern, names in (
            (self.topic, seen.topics),
            (self.group, seen.groups),
            (self.transactional_id, seen.transactional_ids),
        ):
            if pattern is not None and not any(fnmatchcase(name, pattern) for name in names):
                return False
        return self.happens()

    def meets_log(self, topic: str) -> bool:
        """Whether it happens to this use of a topic's log; counts that it did."""
        return (self.topic is None or fnmatchcase(topic, self.topic)) and self.happens()

    def happens(self) -> bool:
        """The decision, once it is known to be about what it was made for."""
        if not self.is_active:
            return False
        if self.passed < self.skip:
            self.passed += 1
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def matching(self, topics: Iterable[str]) -> set[str]:
        """Those of a request's topics that it is about."""
        pattern = self.topic
        return {name for name in topics if pattern is None or fnmatchcase(name, pattern)}

    def describe(self) -> dict[str, Any]:
        """As JSON has it: what was given, and how often it happened."""
        described: dict[str, Any] = {"id": self.id, "kind": str(self.kind)}
        if self.apis:
            described["api"] = [api(key).name for key in sorted(self.apis)]
        for name in (*_TEXTS, "ms", "bytes", "count"):
            if getattr(self, name) is not None:
                described[name] = getattr(self, name)
        if self.error is not None:
            described["error"] = self.error.name
        if "when" in OPTIONS[self.kind].takes:
            described["when"] = self.when
        if self.skip:
            described["skip"] = self.skip
        if self.probability < 1:
            described |= {"probability": self.probability, "seed": self.seed}
        return described | {"hits": self.hits, "is_active": self.is_active}

    def __repr__(self) -> str:
        said = {name: value for name, value in self.describe().items() if name not in ("id", "kind")}
        return (
            f"<fault {self.id}: {self.kind} {', '.join(f'{name}={value}' for name, value in said.items())}>"
        )


def _kind(value: Any) -> Kind:
    try:
        return Kind(str(value).replace("-", "_").lower())
    except ValueError:
        raise BadFault(f"there is no fault {value}: {', '.join(Kind)}") from None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _apis(value: Any) -> frozenset[ApiKey]:
    names = [value] if isinstance(value, str | int) else value
    if not isinstance(names, Collection):
        raise BadFault(f"api is a name, or several: not {value!r}")
    known = {_plain(key.name): key for key in ApiKey} | {str(int(key)): key for key in ApiKey}
    found = set()
    for name in names:
        key = known.get(_plain(str(name)))
        if key is None:
            raise BadFault(f"there is no API {name}: its names are Kafka's, such as Produce and JoinGroup")
        found.add(key)
    return frozenset(found)


def _text(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise BadFault(f"{name} is a name, or a pattern with *: not {value!r}")
    return value


def _whole(name: str, value: Any, *, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadFault(f"{name} is a whole number of at least {least}: not {value!r}")
    return value


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise BadFault(f"probability is above 0 and at most 1: not {value!r}")
    return float(value)


def _error(value: Any) -> ErrorCode:
    try:
        code = ErrorCode[value.upper()] if isinstance(value, str) else ErrorCode(value)
    except (KeyError, ValueError):
        raise BadFault(f"there is no error {value}: its names are Kafka's, such as NOT_COORDINATOR") from None
    if code == ErrorCode.NONE:
        raise BadFault("NONE is no error")
    return code


def _when(value: Any) -> str:
    if value not in _WHENS:
        raise BadFault(f"when is before or after the request took effect: not {value!r}")
    return str(value)
