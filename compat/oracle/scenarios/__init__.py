"""The scenarios, one module for each API or subject."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every module here, which registers its scenarios."""
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
