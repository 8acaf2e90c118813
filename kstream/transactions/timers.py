"""What time ends: transactions that are open for too long, and transactional ids that nobody uses."""

from __future__ import annotations

from typing import Final

TIMEOUT: Final = "timeout"
"""Kind of the timer of an open transaction; behind it stands the transactional id."""
EXPIRY: Final = "expiry"
"""Kind of the timer that comes back every `transaction.remove.expired.transaction.cleanup.interval.ms`."""
