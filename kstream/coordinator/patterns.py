"""Patterns that clients send, in RE2's syntax and by RE2 itself, whose time is linear in the text.

Kafka's clients write them for RE2/J. Python's own engine goes back and tries again, and one request could
stop the event loop for hours.
"""

from __future__ import annotations

from collections.abc import Callable

from kstream.errors import ApiError, ErrorCode

PROGRAM_SIZE_MAX = 10_000
"""RE2's instructions. Where its automaton runs out of memory, each character of a text costs a step for each
of them. Names and alternatives need dozens; Unicode classes a thousand."""


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a pattern matches a whole text.

    Raises:
        ApiError: INVALID_REGULAR_EXPRESSION, with what is wrong with it.
    """
    import re2  # here, since few clients send patterns and it takes milliseconds

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        raise _invalid(reason.decode(errors="replace") if isinstance(reason, bytes) else reason) from None
    finally:
        re2.purge()  # The module would keep the last 128 of them, with 8 MiB each.
    if compiled.programsize > PROGRAM_SIZE_MAX:
        raise _invalid("the pattern is too large")
    return lambda text: compiled.fullmatch(text) is not None


def _invalid(reason: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REGULAR_EXPRESSION, reason)
