"""A server that crashes when a fault says so, and comes back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kstream.broker.broker import Broker

EPHEMERAL_DIR = "KSTREAM_EPHEMERAL_DIR"
"""In the environment of a server that came back: the folder that it goes on with, and removes at its end."""

_DESCRIPTORS_MAX = 1 << 16

_LATER = "import os, sys, time; time.sleep(float(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"


def crashes(
    arguments: Sequence[str], *, ephemeral_dir: Path | None, http: str | None
) -> Callable[[Broker], None]:
    """What is given the broker that is served, so that it can crash; `http` is its HTTP address.

    The process becomes another one, as `kill -9` and a start would have it: memory, connections and locks are
    gone, and the same command goes on with the data. Faults are gone too.
    """

    def opened(broker: Broker) -> None:
        def crash(after_ms: int) -> None:
            listeners = ",".join(
                f"{each.name}://{each.host}:{each.port}" for each in broker.config.bound_listeners
            )
            if ephemeral_dir is not None:
                os.environ[EPHEMERAL_DIR] = str(ephemeral_dir)
            command = [sys.executable, "-m", "kstream", *_without_places(arguments), "--listen", listeners]
            if http is not None:
                command += ["--http", http]
            sys.stderr.flush()
            os.closerange(3, _DESCRIPTORS_MAX)  # some are made to outlive an exec: the HTTP server's
            os.execv(sys.executable, [sys.executable, "-c", _LATER, str(after_ms / 1000), *command])

        broker.crash = crash

    return opened


def _without_places(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    is_value = False
    for argument in arguments:
        if is_value or argument.startswith(("--listen=", "--http=")):
            is_value = False
        elif argument in ("--listen", "--http"):
            is_value = True
        else:
            kept.append(argument)
    return kept
