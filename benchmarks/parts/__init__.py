"""Every part there is: each module of this folder ends with `PARTS`, see `benchmarks/part.py`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from benchmarks.part import Measure, Part


def all_parts() -> list[Part]:
    """The parts of all modules, in the order of the modules' names."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return [part for name in modules for part in importlib.import_module(f"{__name__}.{name}").PARTS]


def measures_of(parts: Sequence[Part]) -> dict[str, Measure]:
    """Their measures by name. Raises ValueError if two have one name."""
    named: dict[str, Measure] = {}
    for measure in (measure for part in parts for measure in part.measures):
        if measure.name in named:
            raise ValueError(f"two measures are named {measure.name}")
        named[measure.name] = measure
    return named


def chosen_parts(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    """Parts by their names or by the names of what they measure; all if none is named. Raises ValueError."""
    known = [(part, {part.name, *(measure.name for measure in part.measures)}) for part in parts]
    unknown = [name for name in names if not any(name in told for _, told in known)]
    if unknown:
        raise ValueError(f"no such part: {', '.join(unknown)} (there are {', '.join(p.name for p in parts)})")
    return [part for part, told in known if not names or told.intersection(names)]
