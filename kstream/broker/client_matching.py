"""Which clients a client metrics subscription is about (KIP-714): `match` as `label=pattern` pairs.

All pairs of a subscription must match, each the whole of the client's value; no pairs match every client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from re import Pattern

from kstream.errors import ApiError, ErrorCode

LABELS = frozenset(
    {
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    }
)

Patterns = Mapping[str, Pattern[str]]
"""By label."""


def parse_patterns(match: str) -> Patterns:
    """The patterns of a subscription's `match`; the last one of a label counts.

    Raises:
        ApiError: INVALID_CONFIG for an unknown label or what is no regular expression.
    """
    patterns: dict[str, Pattern[str]] = {}
    for part in match.split(","):
        if not part.strip():
            continue
        label, separator, text = (each.strip() for each in part.partition("="))
        if not separator or label not in LABELS:
            raise _illegal(part)
        try:
            patterns[label] = re.compile(text)
        except re.error:
            raise _illegal(part) from None
    return patterns


def matches(patterns: Patterns, client: Mapping[str, str]) -> bool:
    """Whether a client, its values by label, is meant."""
    return all(pattern.fullmatch(client.get(label, "")) for label, pattern in patterns.items())


def _illegal(part: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_CONFIG, f"Illegal client matching pattern: {part}")
