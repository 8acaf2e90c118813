"""What configures groups, and who asks: plain values that operations get."""

from __future__ import annotations

from typing import NamedTuple

NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000
"""How long the JoinGroup of a new member may wait. It cannot send heartbeats yet, and a client that gave up
and tries again would otherwise leave one defunct member more each time. Kafka's constant."""


class ConsumerSettings(NamedTuple):
    """The broker's configuration of groups of KIP-848; what a group can have of its own is in
    `kstream.groups.cluster.ConsumerConfig`.
    """

    assignors: tuple[str, ...] = ("uniform", "range")
    """Those that members may ask for; the first is the one where nobody asks."""
    max_size: int = 2**31 - 1
    regex_refresh_interval_ms: int = 10 * 60 * 1000
    can_upgrade: bool = True
    """Whether a classic group with members may become one of KIP-848."""
    can_downgrade: bool = True


class ShareSettings(NamedTuple):
    """The broker's configuration of share groups; what a group can have of its own is in
    `kstream.groups.cluster.ShareConfig`.
    """

    max_size: int = 200
    initialize_retry_interval_ms: int = 30_000
    """How long a partition's initialization is waited for."""


class GroupSettings(NamedTuple):
    """The broker's configuration of groups, with its defaults here: see docs/configuration.md."""

    initial_rebalance_delay_ms: int = 0
    min_session_timeout_ms: int = 6_000
    max_session_timeout_ms: int = 1_800_000
    max_size: int = 2**31 - 1
    offset_metadata_max_bytes: int = 4096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000
    offsets_retention_check_interval_ms: int = 10 * 60 * 1000
    consumer: ConsumerSettings = ConsumerSettings()
    share: ShareSettings = ShareSettings()


class Caller(NamedTuple):
    """Who sends a request, as far as a group keeps or needs it."""

    client_id: str
    client_host: str
    """As Java prints an address: `/127.0.0.1`."""
    api_version: int
