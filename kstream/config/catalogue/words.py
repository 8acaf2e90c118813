"""The words that declarations are written in, so that a row of the catalogue reads like a row of a table."""

from __future__ import annotations

from typing import Final

from kstream.config.key import ConfigType, Scope, Support
from kstream.config.validators import ListOf, Range

BOOLEAN: Final = ConfigType.BOOLEAN
STRING: Final = ConfigType.STRING
INT: Final = ConfigType.INT
SHORT: Final = ConfigType.SHORT
LONG: Final = ConfigType.LONG
DOUBLE: Final = ConfigType.DOUBLE
LIST: Final = ConfigType.LIST
CLASS: Final = ConfigType.CLASS
PASSWORD: Final = ConfigType.PASSWORD

READ_ONLY: Final = Scope.READ_ONLY
PER_BROKER: Final = Scope.PER_BROKER
CLUSTER_WIDE: Final = Scope.CLUSTER_WIDE

HONOURED: Final = Support.HONOURED
NO_EFFECT: Final = Support.NO_EFFECT
UNAVAILABLE: Final = Support.UNAVAILABLE
REFUSED: Final = Support.REFUSED

ANY_LIST: Final = ListOf()


def at_least(least: float) -> Range:
    """A number no smaller than `least`."""
    return Range(least)


def between(least: float, most: float) -> Range:
    """A number from `least` to `most`, both included."""
    return Range(least, most)
