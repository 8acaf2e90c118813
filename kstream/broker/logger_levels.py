"""The levels of this process's loggers, read and changed as broker logger resources (KIP-412)."""

from __future__ import annotations

import logging

from kstream.errors import ApiError, ErrorCode

ROOT = "root"
_PACKAGE = "kstream"
_LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
"""Kafka's names for levels, least severe first."""


def levels() -> dict[str, str]:
    """The level in force of the root logger and of each of kstream's own, by name."""
    names = sorted(name for name in logging.root.manager.loggerDict if name.split(".", 1)[0] == _PACKAGE)
    return {name: _name_of(_logger(name).getEffectiveLevel()) for name in (ROOT, *names)}


def check_level(name: str, level: str | None) -> None:
    """Raise ApiError unless the logger exists and can have that level; None removes its own level."""
    if name not in levels():
        raise ApiError(ErrorCode.INVALID_CONFIG, f"Logger {name} does not exist!")
    if level is None:
        if name == ROOT:
            raise ApiError(
                ErrorCode.INVALID_REQUEST, "Removing the log level of the root logger is not allowed"
            )
    elif level not in _LEVELS:
        raise ApiError(
            ErrorCode.INVALID_CONFIG,
            f"Cannot set the log level of {name} to {level} as it is not a supported log level."
            f" Valid log levels are {', '.join(sorted(_LEVELS))}",
        )


def set_level(name: str, level: str | None) -> None:
    """Set a logger's level, already checked; None lets it follow its parent again."""
    _logger(name).setLevel(logging.NOTSET if level is None else _LEVELS[level])


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)


def _name_of(level: int) -> str:
    """The most severe of Kafka's levels that lets through what `level` does."""
    below = [name for name, number in _LEVELS.items() if number <= level]
    return below[-1] if below else "TRACE"
