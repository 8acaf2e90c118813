"""A member of a share group by bare requests, and the settings of groups."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from kstream.testing import Broker
from kstream.testing.client import WireClient
from kstream.wire.messages import initialize_share_group_state as initializing
from kstream.wire.messages import share_acknowledge as acknowledging
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ShareFetchRequest,
)
from kstream.wire.uuids import format_uuid

ACCEPT, RELEASE, REJECT = 1, 2, 3
_GROUP_RESOURCE = 32
_SHARE_KEY = 2
_TIMEOUT_S = 60.0


def connect(broker: Broker) -> WireClient:
    """A connection to a broker."""
    host, port = broker.bootstrap_servers.rsplit(":", 1)
    return WireClient(host, int(port))


def configure(client: WireClient, group: str, **configs: object) -> IncrementalAlterConfigsResponse:
    """Set configuration of a group, `_` for `.`."""
    entries = [
        AlterableConfig(name=name.replace("_", "."), config_operation=0, value=str(value))
        for name, value in configs.items()
    ]
    resource = AlterConfigsResource(resource_type=_GROUP_RESOURCE, resource_name=group, configs=entries)
    answer: IncrementalAlterConfigsResponse = client.request(
        IncrementalAlterConfigsRequest(resources=[resource]), 1
    )
    return answer


class Worker:
    """Fetches from partition 0 of one topic, and says with each fetch what became of the last records."""

    def __init__(self, broker: Broker, group: str, topic: str, *, is_first: bool = True) -> None:
        self._stack = ExitStack()
        self.client = self._stack.enter_context(connect(broker))
        self._group = group
        self._member_id = str(uuid.uuid4())
        self._epoch = 0
        answer = self.client.request(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 12)
        self.topic_id = answer.topics[0].topic_id
        self._begin(is_first=is_first)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _begin(self, *, is_first: bool) -> None:
        """Wait for the coordinator of the group's state, and begin the state, as the group's would."""
        key = f"{self._group}:{format_uuid(self.topic_id)}:0"
        wanted = FindCoordinatorRequest(key_type=_SHARE_KEY, coordinator_keys=[key])
        self._until(lambda: self.client.request(wanted, 6).coordinators[0].error_code == 0)
        if not is_first:
            return
        partition = initializing.PartitionData(partition=0, state_epoch=0, start_offset=0)
        data = initializing.InitializeStateData(topic_id=self.topic_id, partitions=[partition])
        request = initializing.InitializeShareGroupStateRequest(group_id=self._group, topics=[data])
        self._until(lambda: self.client.request(request, 0).results[0].partitions[0].error_code == 0)

    def fetch(
        self, count: int = 1, *, wait_ms: int = 0, settle: dict[int, int] | None = None
    ) -> list[tuple[int, int]]:
        """Offsets with their delivery counts. `settle` says by offset what became of earlier ones."""
        self.send(count, wait_ms=wait_ms, settle=settle)
        return self.receive()

    def send(self, count: int = 1, *, wait_ms: int = 0, settle: dict[int, int] | None = None) -> None:
        """Ask, and do not wait for the answer."""
        batches = [
            AcknowledgementBatch(first_offset=offset, last_offset=offset, acknowledge_types=[kind])
            for offset, kind in sorted((settle or {}).items())
        ]
        if self._epoch == 0 and batches:
            raise ValueError("the first fetch of a session settles nothing")
        partition = FetchPartition(partition_index=0, acknowledgement_batches=batches)
        request = ShareFetchRequest(
            group_id=self._group,
            member_id=self._member_id,
            share_session_epoch=self._epoch,
            max_wait_ms=wait_ms,
            min_bytes=1 if wait_ms else 0,
            max_records=count,
            batch_size=count,
            share_acquire_mode=1,
            topics=[FetchTopic(topic_id=self.topic_id, partitions=[partition])],
        )
        self.client.send(request, 2)
        self._epoch += 1

    def receive(self) -> list[tuple[int, int]]:
        """The answer to what was sent. AssertionError if anything in it is an error."""
        answer = self.client.receive()
        assert answer.error_code == 0, answer
        partitions = [partition for topic in answer.responses for partition in topic.partitions]
        assert all(each.error_code == 0 and each.acknowledge_error_code == 0 for each in partitions), answer
        return [
            (offset, part.delivery_count)
            for partition in partitions
            for part in partition.acquired_records
            for offset in range(part.first_offset, part.last_offset + 1)
        ]

    def acknowledge(self, offset: int, kind: int) -> int:
        """Say what became of one record; the error code."""
        batch = acknowledging.AcknowledgementBatch(
            first_offset=offset, last_offset=offset, acknowledge_types=[kind]
        )
        partition = acknowledging.AcknowledgePartition(partition_index=0, acknowledgement_batches=[batch])
        request = acknowledging.ShareAcknowledgeRequest(
            group_id=self._group,
            member_id=self._member_id,
            share_session_epoch=self._epoch,
            topics=[acknowledging.AcknowledgeTopic(topic_id=self.topic_id, partitions=[partition])],
        )
        self._epoch += 1
        answer = self.client.request(request, 2)
        return int(answer.error_code or answer.responses[0].partitions[0].error_code)

    def leave(self) -> None:
        """Hang up, as a process that dies does."""
        self._stack.close()

    def _until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + _TIMEOUT_S
        while not condition():
            assert time.monotonic() < end_s, "the coordinator does not come"
