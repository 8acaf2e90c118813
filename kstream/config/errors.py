"""What is said when a configuration cannot be used."""

from __future__ import annotations

from kstream.errors import KstreamError


class ConfigError(KstreamError):
    """A key or value that cannot be used. The message is one line that says what to do about it."""
