"""What configures groups, and who asks: plain values that operations get."""

from __future__ import annotations

from typing import NamedTuple

NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000
"""How long the JoinGroup of a new member may wait. It cannot send heartbeats yet, and a client that gave up
and tries again would otherwise leave one defunct member more each time. Kafka's constant."""


class GroupSettings(NamedTuple):
    """The broker's configuration of groups, with its defaults here: see docs/configuration.md."""

    initial_rebalance_delay_ms: int = 0
    min_session_timeout_ms: int = 6_000
    max_session_timeout_ms: int = 1_800_000
    max_size: int = 2**31 - 1
    offset_metadata_max_bytes: int = 4096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000
    offsets_retention_check_interval_ms: int = 10 * 60 * 1000


class Caller(NamedTuple):
    """Who sends a request, as far as a group keeps or needs it."""

    client_id: str
    client_host: str
    """As Java prints an address: `/127.0.0.1`."""
    api_version: int
