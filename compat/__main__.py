"""`python -m compat CLIENT [--bootstrap HOST:PORT]`: a client's story against kstream or any server.

`python -m compat roundtrip`: one data directory, which Apache Kafka and kstream open in turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from compat.clients import CLIENTS
from compat.kafka_jars import KafkaUnavailable
from compat.runner import tell
from compat.story import ClientMissing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat", description=__doc__)
    parser.add_argument("client", choices=[*CLIENTS, "all", "roundtrip"])
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help="a running server; without it, kstream is started"
    )
    arguments = parser.parse_args()
    if arguments.client == "roundtrip":
        return _round_trip()
    clients = CLIENTS if arguments.client == "all" else (arguments.client,)
    if arguments.bootstrap:
        return _tell_all(clients, arguments.bootstrap)
    from compat.kstream_server import KstreamServer

    with KstreamServer() as server:
        return _tell_all(clients, server.bootstrap)


def _round_trip() -> int:
    from compat.one_directory.turns import ORDERS, take_turns

    for name, turns in ORDERS.items():
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="one-directory-") as folder:
            try:
                take_turns(Path(folder), turns, tell=lambda line: print(f"  {line}", flush=True))
            except KafkaUnavailable as reason:
                print(f"  not run: {reason}")
                return 0
    return 0


def _tell_all(clients: tuple[str, ...], bootstrap: str) -> int:
    failed = 0
    prefix = f"story-{os.getpid()}-{int(time.time())}"
    for client in clients:
        try:
            failed += tell(client, bootstrap, prefix=f"{prefix}-{client}")
        except ClientMissing as missing:
            print(f"{client}: not run: {missing}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
