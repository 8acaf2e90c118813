r"""Patterns that clients send, matched in time linear in the text.

Kafka's clients write them for RE2, which never backtracks; Python's own engine does, and one request could
stop the event loop for hours. This is RE2's way: a pattern becomes a small program, and all the places where
a match could stand are followed at once (Thompson, 1968).

Understood: `.`, classes with ranges, negation and POSIX names, `\d \w \s` and their opposites,
alternatives, groups, `* + ? {m,n}` (lazy ones match the same texts), `^ $ \A \z`, `\Q..\E`. Flags, word
boundaries and Unicode classes are refused, and so is what RE2 refuses: references and looking around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kstream.coordinator.pattern_syntax import Alternatives, Anchor, Chars, Node, Parser, Repeat, Sequence
from kstream.errors import ApiError, ErrorCode

INSTRUCTIONS_MAX = 1000
_STEPS_MAX = 10 * INSTRUCTIONS_MAX  # an empty group can be repeated at will, and has no instructions


class _Instruction(NamedTuple):
    """`chars`: one character of a set, then `next`. `anchor`: "^" or "$". Neither: to `next` and `other`."""

    next: int
    chars: Chars | None = None
    anchor: str = ""
    other: int = -1


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a pattern matches a whole text.

    Raises:
        ApiError: INVALID_REGULAR_EXPRESSION, with what is wrong with it.
    """
    try:
        program = _Program(Parser(pattern).parse())
    except ValueError as error:
        raise ApiError(ErrorCode.INVALID_REGULAR_EXPRESSION, str(error)) from None
    return program.matches


class _Program:
    """Instructions, entered at `_start`; instruction 0 is a match."""

    def __init__(self, node: Node) -> None:
        self._instructions = [_Instruction(-1)]
        self._steps = 0
        self._start = self._add(node, 0)

    def matches(self, text: str) -> bool:
        last = len(text)
        places = self._closure({self._start}, at_start=True, at_end=not last)
        for position, char in enumerate(text):
            if not places:
                return False
            point = ord(char)
            after = set()
            for place in places:
                instruction = self._instructions[place]
                if instruction.chars is not None and instruction.chars.has(point):
                    after.add(instruction.next)
            places = self._closure(after, at_start=False, at_end=position + 1 == last)
        return 0 in places

    def _closure(self, places: set[int], *, at_start: bool, at_end: bool) -> set[int]:
        """All places that are reached without a character."""
        todo = list(places)
        reached = set(places)
        while todo:
            instruction = self._instructions[todo.pop()]
            if instruction.chars is not None:
                continue
            if (instruction.anchor == "^" and not at_start) or (instruction.anchor == "$" and not at_end):
                continue
            for place in (instruction.next, instruction.other):
                if place >= 0 and place not in reached:
                    reached.add(place)
                    todo.append(place)
        return reached

    def _add(self, node: Node, then: int) -> int:
        """Instructions that match a node and go on at `then`; where they begin."""
        self._steps += 1
        if self._steps > _STEPS_MAX:
            raise ValueError("the pattern is too large")
        if isinstance(node, Chars):
            return self._append(_Instruction(then, chars=node))
        if isinstance(node, Anchor):
            return self._append(_Instruction(then, anchor=node.kind))
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                then = self._add(part, then)
            return then
        if isinstance(node, Alternatives):
            start = self._add(node.parts[-1], then)
            for part in reversed(node.parts[:-1]):
                start = self._append(_Instruction(self._add(part, then), other=start))
            return start
        return self._add_repeat(node, then)

    def _add_repeat(self, node: Repeat, then: int) -> int:
        if node.most is None:
            loop = self._append(_Instruction(then))
            body = self._add(node.node, loop)
            self._instructions[loop] = _Instruction(then, other=body)
            then = loop
        else:
            end = then
            for _ in range(node.most - node.least):
                then = self._append(_Instruction(self._add(node.node, then), other=end))
        for _ in range(node.least):
            then = self._add(node.node, then)
        return then

    def _append(self, instruction: _Instruction) -> int:
        if len(self._instructions) == INSTRUCTIONS_MAX:
            raise ValueError("the pattern is too large")
        self._instructions.append(instruction)
        return len(self._instructions) - 1
