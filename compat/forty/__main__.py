"""Forty consumers of stock clients that join, crash, stand still and leave at random under load.

python -m compat.forty                            three minutes, the server is killed twice meanwhile
python -m compat.forty --seconds 30 --share 0.3   in short, with a third of the consumers
python -m compat.forty --seed 7 --keep FOLDER     what another run did; histories and logs stay in FOLDER

Nothing may be lost, nothing read twice but from a committed position, nobody may commit what another one
owns, and no client may complain of anything but the server's absence and its own.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from compat.forty.run import run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m compat.forty",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=180.0, help="of trouble; default 180")
    parser.add_argument("--seed", type=int, help="what happens; default: a new one, which is printed")
    parser.add_argument("--server-kills", type=int, default=2, help="kill -9 of the server; default 2")
    parser.add_argument("--share", type=float, default=1.0, help="of the consumers of each kind; default 1")
    parser.add_argument("--groups", nargs="+", metavar="GROUP", help="only these groups")
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka 4.4.0 instead")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="for histories and logs; default: none stay"
    )
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    # So that a run that is ended leaves no consumer and no server behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="forty-") as temporary:
        problems = run(
            seed,
            options.seconds,
            folder=options.keep or Path(temporary),
            server_kills=options.server_kills,
            share=options.share,
            only=options.groups,
            with_kafka=options.kafka,
            tell=lambda line: print(line, flush=True),
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
