"""Blocking calls out of an event loop, trio's or asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import sniffio
import trio

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """Call it in a thread, while the loop goes on."""
    if sniffio.current_async_library() == "trio":
        return await trio.to_thread.run_sync(function)
    return await asyncio.to_thread(function)
