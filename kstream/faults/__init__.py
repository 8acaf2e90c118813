"""Faults on demand: what shall go wrong, for whom, how often. `broker` and `server` carry them out."""

from __future__ import annotations

from kstream.faults.fault import BadFault, Fault, FaultOptions
from kstream.faults.faults import Faults
from kstream.faults.kinds import Kind

__all__ = ["BadFault", "Fault", "FaultOptions", "Faults", "Kind"]
