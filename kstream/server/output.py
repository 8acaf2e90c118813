"""Bytes to a socket: answers whose record data leaves from the page cache.

Small pieces of a log are sent together with the answer's own bytes in one call; large ones by `sendfile`,
which copies nothing into this process.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import cast

import trio

from kstream.log.slices import LogSlice
from kstream.wire.codec import Part

_SENDFILE_BYTES_MIN = 16 * 1024
_GATHER_PARTS_MAX = 512  # Under every platform's IOV_MAX.
_MSG_MORE = getattr(socket, "MSG_MORE", 0)
_TURN_BYTES = 256 * 1024
"""After so much to a peer that takes it at once, others have their turn: sending it took about 0.1 ms."""


async def send_bytes(sock: socket.socket, data: bytes | memoryview) -> None:
    """Send all of `data`, waiting as often as the peer's window makes necessary.

    Raises:
        OSError: the connection is gone.
    """
    try:
        sent = sock.send(data)
    except BlockingIOError:
        sent = 0
    if sent == len(data):
        return
    rest = memoryview(data)[sent:]
    while rest:
        await trio.lowlevel.wait_writable(sock)
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            continue


async def send_parts(sock: socket.socket, parts: Sequence[Part]) -> None:
    """Send all parts in order. The slices among them are released by whoever made them.

    Raises:
        OSError: the connection is gone.
    """
    gathered: list[bytes | memoryview] = []
    for part in parts:
        if not isinstance(part, LogSlice):
            gathered.append(cast(bytes, part))  # The only payloads in answers are slices of a log.
        elif len(part) < _SENDFILE_BYTES_MIN:
            gathered.append(part.view())
        else:
            if gathered:
                await _send_gathered(sock, gathered, _MSG_MORE)
                gathered = []
            await _send_file(sock, part)
        if len(gathered) == _GATHER_PARTS_MAX:
            await _send_gathered(sock, gathered, _MSG_MORE)
            gathered = []
    if gathered:
        await _send_gathered(sock, gathered, 0)


async def _send_gathered(sock: socket.socket, pieces: list[bytes | memoryview], flags: int) -> None:
    wanted = sum(map(len, pieces))
    try:
        sent = sock.sendmsg(pieces, (), flags)
    except BlockingIOError:
        sent = 0
    if sent == wanted:
        return
    for piece in pieces:
        if sent >= len(piece):
            sent -= len(piece)
            continue
        await send_bytes(sock, memoryview(piece)[sent:])
        sent = 0


async def _send_file(sock: socket.socket, part: LogSlice) -> None:
    sent, size = 0, len(part)
    turn_ends = _TURN_BYTES
    while sent < size:
        try:
            sent += part.send(sock.fileno(), sent, turn_ends - sent)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
            turn_ends = sent + _TURN_BYTES
        else:
            if turn_ends <= sent < size:
                await trio.lowlevel.checkpoint()
                turn_ends = sent + _TURN_BYTES
