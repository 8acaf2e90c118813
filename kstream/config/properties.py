r"""Reading `server.properties`: Java's properties format.

A line is `key=value`, `key: value` or `key value`; blanks around the separator do not count. `#` and `!`
begin comments. A backslash at the end of a line continues it, dropping the next line's indent; elsewhere it
escapes: `\t`, `\n`, `\r`, `\f`, `\uXXXX`, and any other character as itself. The last of equal keys
wins.
"""

from __future__ import annotations

from collections.abc import Iterator

from kstream.config.errors import ConfigError

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"


def parse_properties(text: str) -> dict[str, str]:
    """Keys and values of a properties file. Raises ConfigError, naming the line, for a malformed escape."""
    values: dict[str, str] = {}
    for number, line in _logical_lines(text):
        end, start = _split(line)
        try:
            values[_unescape(line[:end])] = _unescape(line[start:]).rstrip()
        except ValueError:
            raise ConfigError(f"line {number}: \\u needs four hexadecimal digits: {line}") from None
    return values


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments left out, each with the number of its first physical
    line.
    """
    pending, first = "", 0
    for number, physical in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = physical.lstrip(_BLANKS)
        if not pending:
            if not line or line[0] in "#!":
                continue
            first = number
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            pending += line[:-1]
            continue
        yield first, pending + line
        pending = ""
    if pending:
        yield first, pending


def _split(line: str) -> tuple[int, int]:
    """Where the key ends and where the value starts."""
    end = 0
    while end < len(line) and line[end] not in "=:" + _BLANKS:
        end += 2 if line[end] == "\\" else 1
    start = end
    while start < len(line) and line[start] in _BLANKS:
        start += 1
    if start < len(line) and line[start] in "=:":
        start += 1
        while start < len(line) and line[start] in _BLANKS:
            start += 1
    return end, start


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    pieces: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and position < len(text):
            character = text[position]
            position += 1
            if character == "u":
                digits = text[position : position + 4]
                if len(digits) != 4:
                    raise ValueError(text)
                character = chr(int(digits, 16))
                position += 4
            else:
                character = _ESCAPES.get(character, character)
        pieces.append(character)
    return "".join(pieces)
