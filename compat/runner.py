"""Tells the story with one client against one server, chapter by chapter, and prints what passed."""

from __future__ import annotations

import time
import traceback

from compat.clients import adapter
from compat.story import chapters


def tell(client: str, bootstrap: str, *, prefix: str) -> int:
    """Run every chapter, each on a topic named from `prefix`; returns how many failed.

    Raises `ClientMissing`.
    """
    told = adapter(client, bootstrap)
    failed = passed = 0
    try:
        print(f"{told.name} {told.version()} against {bootstrap}")
        for chapter in chapters():
            if chapter.needs_admin and not told.traits.administers:
                continue
            began = time.monotonic()
            try:
                chapter.tell(told, f"{prefix}-{chapter.name}")
            except Exception:
                failed += 1
                print(f"  FAILED {chapter.name}\n{traceback.format_exc()}")
            else:
                passed += 1
                print(f"  passed {chapter.name} ({time.monotonic() - began:.2f} s)")
        for what, why in told.traits.gaps.items():
            print(f"  not told: {what}: {why}")
        print(f"{client}: {passed} passed, {failed} failed")
    finally:
        told.close()
    return failed
