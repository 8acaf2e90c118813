"""`python -m kstream` is the `kstream` command."""

from __future__ import annotations

import sys

from kstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
