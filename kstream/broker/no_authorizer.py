"""What the ACL APIs check when no authorizer is configured.

Kafka looks at a request's numbers before it looks for an authorizer, and closes the connection over a 0,
which stands for "unknown". Numbers without any meaning pass.
"""

from __future__ import annotations

from kstream.errors import ProtocolError

NO_AUTHORIZER = "No authorizer is configured."
_UNKNOWN = 0


def check_known(resource_type: int, pattern_type: int, operation: int, permission_type: int) -> None:
    """Raise ProtocolError for an ACL, or a filter, with an element that is unknown."""
    if _UNKNOWN in (resource_type, pattern_type, operation, permission_type):
        raise ProtocolError("an ACL has an element that is unknown")
