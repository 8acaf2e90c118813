"""One client connection: read a frame, answer it, go on.

One request is in progress at a time, so answers leave in the order of their requests without any code for it.
Sockets are read and written directly; trio is asked to wait only when the kernel says so, and a connection
that always has more to do gives the others their turn after `_TURN_S`.
"""

from __future__ import annotations

import logging
import select
import socket

import trio

from kstream.api.context import RequestContext
from kstream.broker.stats import FULL
from kstream.errors import ProtocolError
from kstream.log.slices import LogSlice
from kstream.server.cut_off import CutOff
from kstream.server.dispatch import Dispatcher
from kstream.server.input import BufferPool, FrameBuffer
from kstream.server.output import send_bytes, send_parts
from kstream.wire.codec import Part

log = logging.getLogger(__name__)

_TURN_S = 0.002
_PEER_CLOSED = getattr(select, "POLLRDHUP", 0)
"""Beside what is always told, POLLHUP and POLLERR, of which a Mac makes do."""


class Connection:
    """A client's socket with its buffer and its context."""

    __slots__ = (
        "_dispatcher",
        "_input",
        "_now_s",
        "_sock",
        "_turn_ends_s",
        "_unsent",
        "context",
        "is_handling",
        "is_sending",
        "scope",
        "waits_since_s",
    )

    def __init__(
        self,
        sock: socket.socket,
        context: RequestContext,
        dispatcher: Dispatcher,
        pool: BufferPool,
        *,
        frame_size_bytes_max: int,
    ) -> None:
        self._sock = sock
        self._dispatcher = dispatcher
        self._input = FrameBuffer(pool, frame_size_bytes_max)
        self._turn_ends_s = 0.0
        """When others get their turn; 0 where they have had it, since this connection waited."""
        self._unsent: list[bytes] = []
        """Small answers that wait for those of the requests right behind, at most for this turn."""
        self.context = context
        # Shielded: a stopping server ends connections itself, busy ones once they have answered.
        self.scope = trio.CancelScope(shield=True)
        self.is_handling = False
        """Whether a handler is at work: such a connection is not idle, however long it takes."""
        self.is_sending = False
        """Whether an answer is on its way out."""
        self._now_s = trio.lowlevel.current_clock().current_time
        self.waits_since_s = self._now_s()
        """When the wait for the peer began: to send a whole frame, or to take a whole answer. Single bytes do
        not begin it anew.
        """

    async def serve(self) -> None:
        """Answer requests until the peer leaves, breaks the protocol, or the scope is cancelled."""
        try:
            with self.scope:
                await self._serve()
        except CutOff as cut:
            log.info("closing the connection from %s: %s", self._peer(), cut)
        except ProtocolError as error:
            log.info("closing the connection from %s: %s", self._peer(), error)
        except OSError as error:
            log.debug("the connection from %s is gone: %s", self._peer(), error)
        except Exception:
            log.exception(
                "closing the connection from %s: a request failed in an unforeseen way", self._peer()
            )
        finally:
            self._input.close()
            self._sock.close()

    async def _serve(self) -> None:
        try:
            await self._answer_requests()
        except OSError:
            raise
        except CutOff as cut:
            await self._send(cut.parts)
            raise
        except Exception:
            # The answers to earlier requests are owed, whatever was wrong with this one.
            self.is_handling = False
            await self._send_unsent()
            raise

    async def _answer_requests(self) -> None:
        """Answer until the peer closes. Answers to requests that came together leave together."""
        frames, now, dispatcher = self._input, self._now_s, self._dispatcher
        began_s = now()
        while True:
            frame = frames.next_frame()
            if frame is None:
                await self._send_unsent()
                stats = self.context.stats
                if len(stats.newest_s) >= FULL:
                    stats.fold()
                if not await self._receive():
                    return
                began_s = now()
                if not self._turn_ends_s:
                    self._turn_ends_s = began_s + _TURN_S
                continue
            if self._unsent and not dispatcher.is_prompt(frame):
                await self._send_unsent()
            self.is_handling = True
            try:
                parts = await dispatcher.answer(frame, self.context)
            except OSError as error:  # Of a file: it must not pass for a client that has left.
                raise RuntimeError(f"a file cannot be read or written: {error}") from error
            if parts is not None:
                if len(parts) == 1 and isinstance(parts[0], bytes):
                    self._unsent.append(parts[0])
                else:
                    await self._send(parts)
            if self.context.after_answer is not None:
                await self._finish_request()
            self.is_handling = False
            if self.context.throttle_ms:
                began_s += await self._mute()
            self.waits_since_s = now_s = now()
            # A request that came with others has waited for theirs: its time begins where theirs ends.
            self.context.stats.append_s(now_s - began_s)
            began_s = now_s
            if now_s > self._turn_ends_s:
                await self._send_unsent()
                await trio.lowlevel.checkpoint()
                self._turn_ends_s = now() + _TURN_S

    async def _finish_request(self) -> None:
        """Send the answer, then do what is to be done behind it."""
        await self._send_unsent()
        finish, self.context.after_answer = self.context.after_answer, None
        assert finish is not None
        await finish()

    async def _mute(self) -> float:
        """Do not listen to a client above its quota, for as long as it was told (KIP-219): returned, too."""
        await self._send_unsent()
        throttle_s = self.context.throttle_ms / 1000
        self.context.throttle_ms = 0
        # Who may not speak is not idle.
        self.waits_since_s = self._now_s() + throttle_s
        await trio.sleep(throttle_s)
        return throttle_s

    async def _receive(self) -> bool:
        """Read what has arrived, waiting for it if need be; False once the peer has closed.

        To try first pays even for who sends one request at a time: the answer woke the client, and where both
        share a processor it has sent the next one by now.
        """
        sock, frames = self._sock, self._input
        space = frames.space()
        while True:
            try:
                size = sock.recv_into(space)
                break
            except BlockingIOError:
                await trio.lowlevel.wait_readable(sock)
                self._turn_ends_s = 0.0
        frames.received(size)
        return size > 0

    async def _send_unsent(self) -> None:
        unsent = self._unsent
        if not unsent:
            return
        data = unsent[0] if len(unsent) == 1 else b"".join(unsent)
        unsent.clear()
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.is_sending, self.waits_since_s = True, self._now_s()
            await send_bytes(self._sock, memoryview(data)[sent:])
            self.is_sending, self.waits_since_s = False, self._now_s()

    async def _send(self, parts: list[Part]) -> None:
        self.is_handling = False
        try:
            await self._send_unsent()
            self.is_sending, self.waits_since_s = True, self._now_s()
            await send_parts(self._sock, parts)
            self.is_sending = False
        finally:
            for part in parts:
                if isinstance(part, LogSlice):
                    part.release()

    def is_abandoned(self) -> bool:
        """Whether the peer has closed its side. Nobody reads from a connection while a handler is at work."""
        poll = select.poll()
        poll.register(self._sock, _PEER_CLOSED)
        return bool(poll.poll(0))

    def _peer(self) -> str:
        return "{}:{}".format(*self.context.peer_address)
