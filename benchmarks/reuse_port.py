"""kstream with SO_REUSEPORT on its listeners, as a prototype: `python -m benchmarks.reuse_port serve ...`.

Several such processes can share one port; the kernel deals connections out to them. They share nothing else.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from kstream.cli import main


def share_ports() -> None:
    """Have every socket that is bound from now on allow others on its port."""
    bind = socket.socket.bind

    def bind_shared(self: socket.socket, address: Any) -> None:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(self, address)

    socket.socket.bind = bind_shared  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    share_ports()
    sys.exit(main())
