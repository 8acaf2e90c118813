"""Where share groups are, and how much is left: from their states and the ends of partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partitions import Partitions
from kstream.broker.share_states import ShareStates
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError
from kstream.groups.shard import GroupShard
from kstream.groups.share.initializing import UNINITIALIZED
from kstream.groups.share.offsets import initialized_partitions
from kstream.wire.messages import read_share_group_state_summary
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequestTopic,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)
from kstream.wire.messages.read_share_group_state_summary import (
    ReadShareGroupStateSummaryRequest,
    ReadStateSummaryData,
)


class SharePositions:
    """Answers DescribeShareGroupOffsets, group by group."""

    def __init__(
        self,
        runtime: CoordinatorRuntime[GroupShard],
        states: ShareStates,
        *,
        partitions: Partitions,
        metadata: MetadataStore,
    ) -> None:
        self._runtime = runtime
        self._states = states
        self._partitions = partitions
        self._metadata = metadata

    async def describe(
        self, group_id: str, topics: Sequence[DescribeShareGroupOffsetsRequestTopic] | None
    ) -> list[DescribeShareGroupOffsetsResponseTopic]:
        """Where a group is in partitions, or in all that it has a state of (None), and how much is left.

        A partition without a state is at -1, as is one of a topic that does not exist.
        """
        image = self._metadata.image
        known: dict[bytes, tuple[str, list[int]]] = {}
        missing: list[DescribeShareGroupOffsetsResponseTopic] = []
        if topics is None:
            found = await self._runtime.perform(
                group_id,
                lambda shard, now_ms, token: Outcome().reply(
                    token, initialized_partitions(shard.state, group_id)
                ),
            )
            for topic_id, part in found.items():
                topic = image.topics_by_id.get(topic_id)
                if topic is not None:
                    known[topic_id] = (topic.name, sorted(part.partitions))
        for wanted in topics or ():
            topic = image.topics_by_name.get(wanted.topic_name)
            if topic is not None:
                known[topic.topic_id] = (topic.name, list(dict.fromkeys(wanted.partitions)))
            else:
                missing.append(_nowhere(wanted))
        described = await self._describe_known(group_id, known) if known else []
        return described + missing

    async def _describe_known(
        self, group_id: str, topics: Mapping[bytes, tuple[str, list[int]]]
    ) -> list[DescribeShareGroupOffsetsResponseTopic]:
        response = await self._states.read_summary(
            ReadShareGroupStateSummaryRequest(
                group_id=group_id,
                topics=[
                    ReadStateSummaryData(
                        topic_id=topic_id,
                        partitions=[
                            read_share_group_state_summary.PartitionData(partition=index) for index in indexes
                        ],
                    )
                    for topic_id, (_, indexes) in topics.items()
                ],
            )
        )
        summaries = {
            (result.topic_id, partition.partition): partition
            for result in response.results
            for partition in result.partitions
            if not partition.error_code
        }
        answers = []
        for topic_id, (name, indexes) in topics.items():
            answer = DescribeShareGroupOffsetsResponseTopic(topic_name=name, topic_id=topic_id)
            answers.append(answer)
            for index in indexes:
                summary = summaries.get((topic_id, index))
                answer.partitions.append(await self._describe_partition(name, index, summary))
        return answers

    async def _describe_partition(
        self, topic_name: str, index: int, summary: read_share_group_state_summary.PartitionResult | None
    ) -> DescribeShareGroupOffsetsResponsePartition:
        answer = DescribeShareGroupOffsetsResponsePartition(partition_index=index, start_offset=UNINITIALIZED)
        if summary is None:
            return answer
        answer.start_offset, answer.leader_epoch = summary.start_offset, summary.leader_epoch
        if summary.start_offset == UNINITIALIZED or summary.delivery_complete_count == -1:
            return answer
        try:
            partition = await self._partitions.get(topic_name, index)
        except ApiError as error:
            return DescribeShareGroupOffsetsResponsePartition(
                partition_index=index, error_code=error.code, error_message=error.message or error.code.name
            )
        answer.lag = partition.high_watermark - summary.start_offset - summary.delivery_complete_count
        return answer


def _nowhere(wanted: DescribeShareGroupOffsetsRequestTopic) -> DescribeShareGroupOffsetsResponseTopic:
    return DescribeShareGroupOffsetsResponseTopic(
        topic_name=wanted.topic_name,
        partitions=[
            DescribeShareGroupOffsetsResponsePartition(partition_index=index, start_offset=UNINITIALIZED)
            for index in wanted.partitions
        ],
    )
