"""What tests are told when their broker cannot do what they ask."""

from __future__ import annotations

from kstream.errors import KstreamError


class BrokerNotRunning(KstreamError):
    """The broker was asked for something before its start or after its stop."""
