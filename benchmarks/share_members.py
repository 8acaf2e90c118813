"""Members of share groups without a client library: each has a connection, and one request under way.

One thread drives them all, beside a server that wants the machine for itself, so what a member does for a
request is kept small: answers are received into a buffer that stays, and read where they lie; an
acknowledgement is the bytes of the one before with other numbers in it, and its answer is compared with one
that was decoded.
"""

from __future__ import annotations

import os
import select
import struct
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

from benchmarks.members import until
from kstream.errors import ErrorCode
from kstream.records.builder import build_batch
from kstream.testing.client import ConnectionClosed, WireClient
from kstream.wire.codec import decode
from kstream.wire.messages import share_acknowledge, share_fetch
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest

RECORDS_MAX = 500
"""What a consumer asks for at once, by default (`max.poll.records`)."""
TIMEOUT_S = 60.0
_GROUP_RESOURCE = 32
_FEW = 100
"""So that a partition's window has room for all its members, however many those are."""
_ACCEPT = 1
_NOT_YET = (
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)
_BATCH_OPTIMIZED, _RECORD_LIMIT = 0, 1
_VERSION = 2
_HEARTBEAT_PAUSE_S = 0.1
_WAIT_MS = 500
_SIZE_BYTES_MAX = 50 * 1024 * 1024
_PRODUCE_DEPTH = 32
_BUFFER_BYTES = 1 << 20
_SIZE = struct.Struct(">i")
_CORRELATION_ID_AT = 8
"""In a request, with its size."""
_BODY = 5
"""Where an answer's begins, without its size: behind the correlation id and an empty set of tags."""
_ACK_TAIL = struct.Struct(">i?B16sBiBqqBb4s")
"""How an acknowledgement of one range of one partition ends: session epoch, no renewal; one topic, its
partition, its range, its type, each count one more than it is; no tags.
"""


class Acquired(NamedTuple):
    """A range of records that a member has."""

    topic_id: bytes
    partition: int
    first_offset: int
    last_offset: int

    @property
    def record_count(self) -> int:
        """How many."""
        return self.last_offset - self.first_offset + 1


class ShareMember:
    """One member: what it is to read, its session, and what it has not settled."""

    def __init__(self, address: tuple[str, int], group_id: str, topic: str) -> None:
        self.client = WireClient(*address, timeout_s=TIMEOUT_S)
        self.assigned: dict[bytes, list[int]] = {}
        self.held: list[Acquired] = []
        self._group_id = group_id
        self._topic = topic
        self._member_id = str(uuid.uuid4())
        self._epoch = 0
        self._session_epoch = 0
        self._buffer = bytearray(_BUFFER_BYTES)
        self._correlation_id = 0
        self._ack_front = b""
        self._ack_of: tuple[bytes, int] = (b"", -1)
        self._good_answers: dict[tuple[bytes, int], bytes] = {}

    def beat(self) -> None:
        """Join with the first heartbeat, stay with later ones, and take what is assigned."""
        topics = [self._topic] if self._epoch == 0 else None
        beat = ShareGroupHeartbeatRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            member_epoch=self._epoch,
            subscribed_topic_names=topics,
        )
        answer = self.client.request(beat, 1)
        if answer.error_code in _NOT_YET:
            return
        _check(answer.error_code)
        self._epoch = answer.member_epoch
        if answer.assignment is not None:
            self.assigned = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}

    def send_fetch(self, records_max: int = RECORDS_MAX, *, wait_ms: int = _WAIT_MS) -> None:
        """Accept what it has, and ask for more: whole batches, unless it is to be fewer."""
        wanted = {topic_id: list(partitions) for topic_id, partitions in self.assigned.items()}
        settled: dict[tuple[bytes, int], list[share_fetch.AcknowledgementBatch]] = {}
        for each in self.held:
            settled.setdefault((each.topic_id, each.partition), []).append(
                share_fetch.AcknowledgementBatch(
                    first_offset=each.first_offset,
                    last_offset=each.last_offset,
                    acknowledge_types=[_ACCEPT],
                )
            )
        if self._session_epoch:  # The session knows the partitions: only what is to be settled is said.
            wanted = {topic_id: [] for topic_id, _ in settled}
            for topic_id, partition in settled:
                wanted[topic_id].append(partition)
        topics = [
            share_fetch.FetchTopic(
                topic_id=topic_id,
                partitions=[
                    share_fetch.FetchPartition(
                        partition_index=index, acknowledgement_batches=settled.get((topic_id, index), [])
                    )
                    for index in partitions
                ],
            )
            for topic_id, partitions in wanted.items()
        ]
        self.held = []
        request = share_fetch.ShareFetchRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=self._next_session_epoch(),
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=_SIZE_BYTES_MAX,
            max_records=records_max,
            batch_size=records_max,
            share_acquire_mode=_RECORD_LIMIT if records_max < RECORDS_MAX else _BATCH_OPTIMIZED,
            topics=topics,
        )
        self._correlation_id += 1
        self.client.send_raw(self.client.frame(request, _VERSION, self._correlation_id))

    def receive_fetch(self) -> list[Any]:
        """The answer's partitions that have records; they are held until they are settled. The records lie in
        a buffer, until the next answer comes.
        """
        answer = decode(share_fetch.ShareFetchResponse, self._receive(), _VERSION, offset=_BODY)
        _check(answer.error_code)
        found = []
        for topic in answer.responses:
            for part in topic.partitions:
                _check(part.error_code or part.acknowledge_error_code)
                if part.acquired_records:
                    found.append(part)
                    self.held += [
                        Acquired(topic.topic_id, part.partition_index, each.first_offset, each.last_offset)
                        for each in part.acquired_records
                    ]
        return found

    def fetch(self, records_max: int = RECORDS_MAX, *, wait_ms: int = _WAIT_MS) -> int:
        """Accept, ask and wait; how many records it has then."""
        self.send_fetch(records_max, wait_ms=wait_ms)
        self.receive_fetch()
        return sum(each.record_count for each in self.held)

    def send_one_acknowledgement(self) -> None:
        """Accept the first record that it has, by a request of its own."""
        first = self.held.pop(0)
        if first.record_count > 1:
            self.held.insert(0, first._replace(first_offset=first.first_offset + 1))
        self._correlation_id += 1
        self._ack_of = (first.topic_id, first.partition)
        tail = _ACK_TAIL.pack(
            self._next_session_epoch(),
            False,
            2,
            first.topic_id,
            2,
            first.partition,
            2,
            first.first_offset,
            first.first_offset,
            2,
            _ACCEPT,
            b"",
        )
        front = self._ack_front or self._make_ack_front(tail)
        os.write(
            self._fd,
            front[:_CORRELATION_ID_AT]
            + _SIZE.pack(self._correlation_id)
            + front[_CORRELATION_ID_AT + 4 :]
            + tail,
        )

    def _make_ack_front(self, tail: bytes) -> bytes:
        """What all acknowledgements begin with: the frame of a first one, up to where its tail stands."""
        (epoch, _, _, topic_id, _, partition, _, first, last, _, kind, _) = _ACK_TAIL.unpack(tail)
        batch = share_acknowledge.AcknowledgementBatch(
            first_offset=first, last_offset=last, acknowledge_types=[kind]
        )
        wanted = share_acknowledge.AcknowledgePartition(
            partition_index=partition, acknowledgement_batches=[batch]
        )
        request = share_acknowledge.ShareAcknowledgeRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=epoch,
            topics=[share_acknowledge.AcknowledgeTopic(topic_id=topic_id, partitions=[wanted])],
        )
        frame = self.client.frame(request, _VERSION, self._correlation_id)
        if not frame.endswith(tail):
            raise RuntimeError("acknowledgements are encoded in another way than is thought here")
        self._ack_front = frame[: -len(tail)]
        return self._ack_front

    def receive_acknowledgement(self) -> None:
        """It must have succeeded."""
        frame = self._receive()
        body = frame[_BODY:].tobytes()
        if body == self._good_answers.get(self._ack_of):
            return
        answer = decode(share_acknowledge.ShareAcknowledgeResponse, frame, _VERSION, offset=_BODY)
        _check(answer.error_code)
        for topic in answer.responses:
            for part in topic.partitions:
                _check(part.error_code)
        self._good_answers[self._ack_of] = body

    @property
    def _fd(self) -> int:
        return self.client.socket.fileno()

    def _receive(self) -> memoryview:
        """The answer to the request under way, without its size, in the buffer."""
        try:
            size_bytes = os.readv(self._fd, [self._buffer])  # It is there already, as a rule.
        except BlockingIOError:
            size_bytes = 0
        while size_bytes < _SIZE.size:
            size_bytes += self._receive_more(size_bytes)
        end = _SIZE.size + _SIZE.unpack_from(self._buffer)[0]
        if end > len(self._buffer):
            self._buffer = self._buffer[:size_bytes].ljust(end)
        while size_bytes < end:
            size_bytes += self._receive_more(size_bytes)
        frame = memoryview(self._buffer)[_SIZE.size : end]
        (answered,) = _SIZE.unpack_from(frame)
        if answered != self._correlation_id:
            raise RuntimeError(f"an answer to request {answered}, where {self._correlation_id} is next")
        return frame

    def _receive_more(self, begin: int) -> int:
        size_bytes = self.client.socket.recv_into(memoryview(self._buffer)[begin:])
        if not size_bytes:
            raise ConnectionClosed("the server closed the connection of a member of a share group")
        return size_bytes

    def _next_session_epoch(self) -> int:
        epoch = self._session_epoch
        self._session_epoch += 1
        return epoch


class ShareGroup:
    """A new group of so many members that begins with a topic's first record. A context manager; each member
    has something to read when it opens. `configs` are the group's.
    """

    def __init__(
        self, address: tuple[str, int], count: int, topic: str, configs: Mapping[str, str] | None = None
    ) -> None:
        self._address = address
        self._count = count
        self._topic = topic
        self._configs = {"share.auto.offset.reset": "earliest", **(configs or {})}
        self._stack = ExitStack()
        self.group_id = f"bench-{uuid.uuid4().hex[:8]}"
        self.members: list[ShareMember] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for _ in range(self._count):
                member = ShareMember(self._address, self.group_id, self._topic)
                stack.callback(member.client.close)
                self.members.append(member)
            self._configure(self.members[0].client)
            self._gather()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _configure(self, client: WireClient) -> None:
        altered = [
            AlterableConfig(name=name, config_operation=0, value=value)
            for name, value in self._configs.items()
        ]
        resource = AlterConfigsResource(
            resource_type=_GROUP_RESOURCE, resource_name=self.group_id, configs=altered
        )
        answer = client.request(IncrementalAlterConfigsRequest(resources=[resource]), 1)
        _check(answer.responses[0].error_code)

    def _gather(self) -> None:
        wanted = FindCoordinatorRequest(coordinator_keys=[self.group_id])
        client = self.members[0].client
        until(lambda: client.request(wanted, 4).coordinators[0].error_code == 0)
        until(self._is_assigned)

    def _is_assigned(self) -> bool:
        for member in self.members:
            member.beat()
        if all(member.assigned for member in self.members):
            return True
        time.sleep(_HEARTBEAT_PAUSE_S)
        return False


def consume(group: ShareGroup, count: int) -> float:
    """Let all members fetch and accept at once until they have had so many records; seconds.

    Raises TimeoutError.
    """
    had = 0

    def take(member: ShareMember) -> bool:
        nonlocal had
        member.receive_fetch()
        had += sum(each.record_count for each in member.held)
        if had >= count:
            return False
        member.send_fetch()
        return True

    began_s = time.perf_counter()
    for member in group.members:
        member.send_fetch()
    turns(group, take)
    return time.perf_counter() - began_s


def acknowledge_singly(group: ShareGroup, count: int) -> float:
    """Let all members accept what they fetched record by record, so many in all; seconds."""
    sent = 0

    def proceed(member: ShareMember) -> bool:
        nonlocal sent
        if not member.held:
            _refill(member)
        if sent >= count:
            return False
        sent += 1
        member.send_one_acknowledgement()
        return True

    def take(member: ShareMember) -> bool:
        member.receive_acknowledgement()
        return proceed(member)

    for member in group.members:
        _refill(member)
    began_s = time.perf_counter()
    for member in group.members:
        proceed(member)
    turns(group, take)
    return time.perf_counter() - began_s


def _refill(member: ShareMember) -> None:
    until(lambda: member.fetch(_FEW) > 0)


def turns(group: ShareGroup, take: Callable[[ShareMember], bool]) -> None:
    """Call `take` with each member whose answer comes, until it returns False. Raises TimeoutError."""
    members = {member.client.socket.fileno(): member for member in group.members}
    with select.epoll() as ready_ones:
        for fd in members:
            ready_ones.register(fd, select.EPOLLIN)
        while True:
            ready = ready_ones.poll(TIMEOUT_S)
            if not ready:
                raise TimeoutError(f"no member of the share group is answered within {TIMEOUT_S:.0f} s")
            for fd, _ in ready:
                if not take(members[fd]):
                    return


def produce_again(client: WireClient, topic: str, batch: bytes, times: int, partition: int = 0) -> None:
    """Produce the same batch so many times, some requests ahead of their answers."""
    request = produce_request(topic, batch, partition)
    for number in range(times):
        client.send(request, 12)
        if number >= _PRODUCE_DEPTH:
            check_produced(client.receive())
    for _ in range(min(times, _PRODUCE_DEPTH)):
        check_produced(client.receive())


def produce_request(topic: str, batch: bytes, partition: int = 0) -> ProduceRequest:
    """One batch, acknowledged by the leader."""
    data = PartitionProduceData(index=partition, records=batch)
    wanted = TopicProduceData(name=topic, partition_data=[data])
    return ProduceRequest(acks=1, timeout_ms=60_000, topic_data=[wanted])


def check_produced(answer: Any) -> None:
    """Raises RuntimeError."""
    _check(answer.responses[0].partition_responses[0].error_code)


def batch_of(count: int, value: bytes, headers: list[tuple[str, bytes]] | None = None) -> bytes:
    """So many records of the same value and headers."""
    now_ms = time.time_ns() // 1_000_000
    return build_batch([(now_ms, None, value, headers or [])] * count)


def _check(error_code: int) -> None:
    if error_code != 0:
        raise RuntimeError(f"error {error_code} where none is to be")
