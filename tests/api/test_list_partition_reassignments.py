"""ListPartitionReassignments: none is ever under way."""

from __future__ import annotations

import pytest

from kstream.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)
from tests.api.conftest import Asker


@pytest.mark.parametrize("names", [None, [], ["t"], ["t", "nothing"]])
def test_none_is_under_way(asker: Asker, names: list[str] | None) -> None:
    asker.create("t")
    topics = None
    if names is not None:
        topics = [ListPartitionReassignmentsTopics(name=name, partition_indexes=[0, 7]) for name in names]
    request = ListPartitionReassignmentsRequest(topics=topics)
    answer = asker.ask(request, 0, ListPartitionReassignmentsResponse)
    assert (answer.error_code, answer.error_message, answer.topics) == (0, None, [])
