"""`python -m kstream.config > docs/configuration.md` writes the reference page from the catalogue."""

from __future__ import annotations

import sys

from kstream.config.reference import reference_page

if __name__ == "__main__":
    sys.stdout.write(reference_page())
