"""Where kstream differs from Apache Kafka 4.4.0 on purpose, and why.

Each entry: scenario, exchange, field, reason; `*` stands for anything. An entry that no longer holds fails the suite.
"""

from __future__ import annotations

from compat.oracle.compare import Allowed

ALLOWED: list[Allowed] = []
