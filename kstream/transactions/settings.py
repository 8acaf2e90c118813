"""What configures transactions: a plain value."""

from __future__ import annotations

from typing import NamedTuple


class TransactionSettings(NamedTuple):
    """The broker's configuration of transactions, with its defaults here: see docs/configuration.md."""

    max_timeout_ms: int = 15 * 60 * 1000
    id_expiration_ms: int = 7 * 24 * 60 * 60 * 1000
    id_expiration_check_interval_ms: int = 60 * 60 * 1000
