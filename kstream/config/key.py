"""What a configuration key is: its type, default, valid values, who may change it, and what kstream does with
it.

The catalogue (`kstream.config.catalogue`) is a few hundred `Key` declarations. Values travel as the strings a
`server.properties` file holds; `Key.parse` turns one into a Python value, and is the only place that does.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TypeAlias

from kstream.config.errors import ConfigError
from kstream.config.validators import Validator

Value: TypeAlias = bool | int | float | str | list[str] | None


class ConfigType(IntEnum):
    """Type of a value; the numbers are those of DescribeConfigs responses from version 3 (KIP-569)."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class ConfigSource(IntEnum):
    """Where a value comes from, as DescribeConfigs numbers it (KIP-226, KIP-714, KIP-848)."""

    UNKNOWN = 0
    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


class Scope(StrEnum):
    """Who can change a key while the broker runs (KIP-226)."""

    READ_ONLY = "read-only"
    PER_BROKER = "per-broker"
    CLUSTER_WIDE = "cluster-wide"


class Support(StrEnum):
    """What kstream does with a key that somebody sets."""

    HONOURED = "honoured"
    NO_EFFECT = "no effect"  # tunes a mechanism that kstream does not have; behaviour clients see is the same
    UNAVAILABLE = "unavailable"  # asks for something kstream does not do: said as a warning at start
    REFUSED = "refused"  # ignoring it would be dangerous (an open door, say): the server does not start


_INTEGER_MAX = {ConfigType.SHORT: 2**15 - 1, ConfigType.INT: 2**31 - 1, ConfigType.LONG: 2**63 - 1}


class Key:
    """One configuration key.

    `default` is text as in a properties file, None when Kafka's default is null. `note` is the documentation
    line of an honoured key; of any other it is the reason why kstream does not honour it.
    """

    __slots__ = ("default", "is_internal", "name", "note", "scope", "support", "type", "validator")

    def __init__(
        self,
        name: str,
        type: ConfigType,
        default: str | None,
        validator: Validator | None,
        scope: Scope,
        support: Support,
        note: str,
        is_internal: bool = False,
    ) -> None:
        self.name = name
        self.type = type
        self.default = default
        self.validator = validator
        self.scope = scope
        self.support = support
        self.note = note
        self.is_internal = is_internal

    def __repr__(self) -> str:
        return f"Key({self.name!r}, {self.type.name}, default={self.default!r})"

    @property
    def is_sensitive(self) -> bool:
        """Whether the value is a secret, never shown in answers or logs."""
        return self.type is ConfigType.PASSWORD

    @property
    def is_read_only(self) -> bool:
        return self.scope is Scope.READ_ONLY

    def parse(self, text: str | None) -> Value:
        """The Python value of `text`, checked. Raises ConfigError in the words Kafka's users know."""
        if text is None:
            return None
        value = self._convert(text)
        if self.validator is not None:
            fault = self.validator.fault(value)
            if fault is not None:
                raise self._error(text, fault)
        return value

    def canonical(self, text: str | None) -> str | None:
        """`text` as DescribeConfigs shows it: trimmed, lists without blanks, booleans in lower case."""
        value = self.parse(text)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ",".join(value)
        return None if text is None else text if self.is_sensitive else text.strip()

    def _convert(self, text: str) -> Value:
        kind = self.type
        if kind is ConfigType.PASSWORD:
            return text
        trimmed = text.strip()
        if kind is ConfigType.STRING or kind is ConfigType.CLASS:
            return trimmed
        if kind is ConfigType.LIST:
            # An entry that comes twice counts once (KIP-1161).
            return list(dict.fromkeys(part.strip() for part in trimmed.split(","))) if trimmed else []
        if kind is ConfigType.BOOLEAN:
            lowered = trimmed.lower()
            if lowered not in ("true", "false"):
                raise self._error(text, "Expected value to be either true or false")
            return lowered == "true"
        return self._number(trimmed)

    def _number(self, text: str) -> int | float:
        try:
            if "_" in text:  # Python's own digit grouping, which Kafka does not know
                raise ValueError(text)
            number = float(text) if self.type is ConfigType.DOUBLE else int(text)
        except ValueError:
            raise self._error(text, f"Not a number of type {self.type.name}") from None
        largest = _INTEGER_MAX.get(self.type)
        if largest is not None and not -largest - 1 <= number <= largest:
            raise self._error(text, f"Not a number of type {self.type.name}")
        return number

    def _error(self, text: str, fault: str) -> ConfigError:
        shown = "[hidden]" if self.is_sensitive else text
        return ConfigError(f"Invalid value {shown} for configuration {self.name}: {fault}")
