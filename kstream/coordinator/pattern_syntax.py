"""The syntax of patterns, as a tree."""

from __future__ import annotations

from typing import NamedTuple

_DEPTH_MAX = 100
_REPEAT_MAX = 1000
_POINT_MAX = 0x10FFFF
_DIGIT = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 10), (12, 13), (32, 32))
_SHORT = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "a": 7}
_POSIX = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "digit": _DIGIT,
    "lower": ((97, 122),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}

Ranges = tuple[tuple[int, int], ...]


class Chars(NamedTuple):
    """One character of a set of code points, both ends of a range included."""

    ranges: Ranges
    is_negated: bool = False

    def has(self, point: int) -> bool:
        return any(low <= point <= high for low, high in self.ranges) is not self.is_negated


class Anchor(NamedTuple):
    """The beginning (`^`) or the end (`$`) of the text."""

    kind: str


class Sequence(NamedTuple):
    """One after the other."""

    parts: tuple[Node, ...]


class Alternatives(NamedTuple):
    """One of them; never empty."""

    parts: tuple[Node, ...]


class Repeat(NamedTuple):
    """From `least` to `most` times; None for as often as it comes."""

    node: Node
    least: int
    most: int | None


Node = Chars | Anchor | Sequence | Alternatives | Repeat


class Parser:
    """Reads one pattern. `parse` raises ValueError for what is none."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._pattern):
            raise ValueError("unexpected ) in the pattern")
        return node

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise ValueError("the pattern ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> Node:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self._pattern.startswith("\\Q", self._at):
                end = self._pattern.find("\\E", self._at + 2)
                literal = self._pattern[self._at + 2 : end if end >= 0 else None]
                self._at = len(self._pattern) if end < 0 else end + 2
                parts += [Chars(((ord(char), ord(char)),)) for char in literal]
                if literal:
                    parts[-1] = self._repeated(parts[-1])
            else:
                parts.append(self._repeated(self._atom()))
        return Sequence(tuple(parts))

    def _repeated(self, node: Node) -> Node:
        found = self._repetition()
        if found is None:
            return node
        if self._peek() == "?":
            self._at += 1
        if self._repetition() is not None:
            raise ValueError("a repetition of a repetition in the pattern")
        return Repeat(node, *found)

    def _repetition(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if simple is not None:
            self._at += 1
            return simple
        if self._peek() != "{":
            return None
        end = self._pattern.find("}", self._at)
        low, comma, high = self._pattern[self._at + 1 : max(end, self._at + 1)].partition(",")
        if not _is_number(low) or (high and not _is_number(high)):
            return None  # A brace that stands for itself.
        self._at = end + 1
        least = int(low)
        most = (int(high) if high else None) if comma else least
        if least > _REPEAT_MAX or (most is not None and not least <= most <= _REPEAT_MAX):
            raise ValueError("a repetition count in the pattern is out of bounds")
        return least, most

    def _atom(self) -> Node:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == ".":
            return Chars(((10, 10),), is_negated=True)
        if char in "^$":
            return Anchor(char)
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise ValueError(f"nothing to repeat with {char} in the pattern")
        return Chars(((ord(char), ord(char)),))

    def _group(self) -> Node:
        if self._peek() == "?":
            for opening in ("?:", "?P<", "?<"):
                if self._pattern.startswith(opening, self._at):
                    break
            else:
                raise ValueError("the pattern has a kind of group that is not supported")
            self._at += len(opening)
            if opening != "?:":
                name, _, _ = self._pattern[self._at :].partition(">")
                if not name.isidentifier():
                    raise ValueError("the pattern has a kind of group that is not supported")
                self._at += len(name) + 1
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValueError("the pattern nests too deeply")
        node = self._alternatives()
        if self._take() != ")":
            raise ValueError("missing ) in the pattern")
        self._depth -= 1
        return node

    def _escape(self) -> Node:
        char = self._take()
        if char in ("A", "z"):
            return Anchor("^" if char == "A" else "$")
        ranges = _SHORT.get(char.lower())
        if ranges is not None:
            return Chars(ranges, is_negated=char.isupper())
        point = self._point(char)
        return Chars(((point, point),))

    def _point(self, char: str) -> int:
        """The code point that an escape stands for."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            if self._peek() == "{":
                digits, _, _ = self._pattern[self._at + 1 :].partition("}")
                self._at += len(digits) + 2
            else:
                digits = self._pattern[self._at : self._at + 2]
                self._at += 2
            if not 1 <= len(digits) <= 6 or not set(digits) <= set("0123456789abcdefABCDEF"):
                raise ValueError("the pattern has a code point that is none")
            return min(int(digits, 16), _POINT_MAX)
        if char.isascii() and char.isalnum():
            raise ValueError(f"\\{char} is not supported in a pattern")
        return ord(char)

    def _class(self) -> Node:
        is_negated = self._peek() == "^"
        self._at += is_negated
        ranges: list[tuple[int, int]] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            if self._pattern.startswith("[:", self._at):
                ranges += self._posix()
                continue
            low = self._class_item(ranges)
            if low is None:
                continue
            high = low
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                upper = self._class_item([])
                if upper is None or upper < low:
                    raise ValueError("the pattern has a range that is none")
                high = upper
            ranges.append((low, high))
        self._at += 1
        return Chars(tuple(ranges), is_negated)

    def _class_item(self, ranges: list[tuple[int, int]]) -> int | None:
        """One code point of a class; None for a short class, which goes to `ranges`."""
        char = self._take()
        if char != "\\":
            return ord(char)
        char = self._take()
        short = _SHORT.get(char.lower())
        if short is None:
            return self._point(char)
        ranges += _complement(short) if char.isupper() else short
        return None

    def _posix(self) -> Ranges:
        name, end, _ = self._pattern[self._at + 2 :].partition(":]")
        is_negated = name.startswith("^")
        ranges = _POSIX.get(name.removeprefix("^"))
        if not end or ranges is None:
            raise ValueError("the pattern has a class name that is none")
        self._at += len(name) + 4
        return _complement(ranges) if is_negated else ranges


def _complement(ranges: Ranges) -> Ranges:
    """All code points but these; `ranges` ascend."""
    edges = [-1, *(edge for low, high in ranges for edge in (low, high)), _POINT_MAX + 1]
    return tuple(
        (edges[at] + 1, edges[at + 1] - 1)
        for at in range(0, len(edges), 2)
        if edges[at] + 1 <= edges[at + 1] - 1
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
