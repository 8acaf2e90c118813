"""Which values a key takes, as data: each validator says what is wrong with a value, or None."""

from __future__ import annotations

import re
from typing import Any, Protocol


class Validator(Protocol):
    """Says what is wrong with a parsed value (None: nothing) and describes what is right."""

    def fault(self, value: Any) -> str | None: ...

    def __str__(self) -> str: ...


class Range:
    """A number from `least` to `most`, both included; None leaves that side open."""

    __slots__ = ("least", "most")

    def __init__(self, least: float, most: float | None = None) -> None:
        self.least = least
        self.most = most

    def fault(self, value: Any) -> str | None:
        if value != value:
            return "Value must be a number"
        if value < self.least:
            return f"Value must be at least {self.least}"
        if self.most is not None and value > self.most:
            return f"Value must be no more than {self.most}"
        return None

    def __str__(self) -> str:
        return f"[{self.least},...]" if self.most is None else f"[{self.least},...,{self.most}]"


class OneOf:
    """One of some words."""

    __slots__ = ("any_case", "words")

    def __init__(self, *words: str, any_case: bool = False) -> None:
        self.words = words
        self.any_case = any_case

    def fault(self, value: Any) -> str | None:
        if value in self.words or (self.any_case and value.upper() in (word.upper() for word in self.words)):
            return None
        return f"String must be one of: {', '.join(self.words)}"

    def __str__(self) -> str:
        return f"[{', '.join(self.words)}]"


class ListOf:
    """A list without blank entries; of some words, when any are given (KIP-1161)."""

    __slots__ = ("may_be_empty", "words")

    def __init__(self, *words: str, may_be_empty: bool = True) -> None:
        self.words = words
        self.may_be_empty = may_be_empty

    def fault(self, value: Any) -> str | None:
        if not value and not self.may_be_empty:
            return "The list must not be empty"
        if "" in value:
            return "The list must not have an empty entry"
        if self.words and not all(entry in self.words for entry in value):
            return f"String must be one of: {', '.join(self.words)}"
        return None

    def __str__(self) -> str:
        return f"[{', '.join(self.words)}]" if self.words else ""


class GzipLevel:
    """1 to 9, or -1 for the library's own default."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:
        return None if value == -1 or 1 <= value <= 9 else "Value must be between 1 and 9 or equal to -1"

    def __str__(self) -> str:
        return "[1,...,9] or -1"


class NonEmpty:
    """Any text but none."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:
        return None if value else "String must be non-empty"

    def __str__(self) -> str:
        return "non-empty string"


class ThrottledReplicas:
    """`*`, nothing, or `partition:broker` pairs (KIP-73)."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:
        if value == ["*"] or all(re.fullmatch(r"[0-9]+:[0-9]+", entry) for entry in value):
            return None
        return "The list must be * or entries of the form partition:broker"

    def __str__(self) -> str:
        return "[partitionId]:[brokerId],[partitionId]:[brokerId],..."


class OffsetReset:
    """`latest`, `earliest`, or `by_duration:` with an ISO 8601 duration, all lower case (KIP-932)."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:
        if value in ("latest", "earliest"):
            return None
        prefix, _, duration = value.partition(":")
        shape = r"P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?"
        if prefix == "by_duration" and re.fullmatch(shape, duration):
            return None
        return "Expected latest, earliest or by_duration:PnDTnHnMn.nS"

    def __str__(self) -> str:
        return "[latest, earliest, by_duration:PnDTnHnMn.nS]"


_CEL_LENGTH_MAX = 1_000
"""The engine evaluates by recursion: some tens of thousands of terms overflow the stack of the process."""


class CelExpression:
    """An expression of the Common Expression Language, or nothing. Needs the extra `queue`."""

    __slots__ = ()

    def fault(self, value: Any) -> str | None:
        if not value:
            return None
        if len(value) > _CEL_LENGTH_MAX:
            return f"An expression has at most {_CEL_LENGTH_MAX} characters"
        try:
            import cel
        except ImportError:
            return "Filters need one more library on the server: pip install 'kstream[queue]'"
        try:
            program = cel.compile(value)
        except ValueError as error:
            return f"This is no expression of CEL: {error}"
        try:
            program.execute({"key": "", "headers": {}, "timestamp_ms": 0})
        except Exception as error:  # mostly it wants a header that this record does not have
            if "Undefined variable or function" in str(error):
                return f"{str(error).split('.')[0]}: there are key, headers and timestamp_ms"
        return None

    def __str__(self) -> str:
        return "an expression of CEL"
