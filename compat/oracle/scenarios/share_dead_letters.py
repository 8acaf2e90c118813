"""Dead letters of share groups (KIP-1191): what is given up goes into a topic, if that may be written."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import fetch, offsets, part, store
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.share_fetch import Member, begin, configure
from compat.oracle.share_requests import REJECT, RELEASE, read
from kstream.wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kstream.wire.messages.list_offsets import ListOffsetsResponse
from kstream.wire.messages.read_share_group_state import ReadShareGroupStateResponse

ENABLED = {"errors.deadletterqueue.group.enable": "true"}
ARCHIVED = 4


def dead_letter_topic(run: Run) -> Topic:
    """A topic that may have dead letters: that is said by its name, and by a setting."""
    name = f"dlq.{run.name('t')}"
    configs = [CreatableTopicConfig(name=key, value=value) for key, value in ENABLED.items()]
    wanted = CreatableTopic(name=name, num_partitions=1, replication_factor=1, configs=configs)
    created = run.ask(CreateTopicsRequest(topics=[wanted]), 7).topics[0]
    run.until_served(name)
    return Topic(name, created.topic_id)


def _await_end(run: Run, topic: Topic, end: int) -> None:
    def is_there(answer: ListOffsetsResponse) -> bool:
        return answer.topics[0].partitions[0].offset == end

    run.until(offsets((topic.name, 0, -1)), 7, is_there)


def _await_archived(run: Run, group: str, topic: Topic) -> None:
    def is_done(answer: ReadShareGroupStateResponse) -> bool:
        batches = answer.results[0].partitions[0].state_batches
        return (
            bool(batches)
            and batches[-1].last_offset == 3
            and all(each.delivery_state == ARCHIVED for each in batches)
        )

    run.until(read(group, topic), 0, is_done)


def _give_up(run: Run, *, copies: bool) -> None:
    dead = dead_letter_topic(run)
    group, topic = begin(run, "a")
    configure(
        run,
        group,
        errors_deadletterqueue_topic_name=dead.name,
        share_delivery_count_limit="2",
        errors_deadletterqueue_copy_record_enable=str(copies).lower(),
    )
    store(run, topic, batch(b"a", b"b", b"c", b"d"))
    member = Member(run, group, "m", topic, version=2)
    member.fetch("all")
    member.ack("reject one, release the others", (0, 3, [RELEASE, REJECT, RELEASE, RELEASE]))
    _await_end(run, dead, 1)
    member.fetch("again")
    for end, offset in enumerate((0, 2, 3), 2):
        member.ack(f"release {offset}", (offset, offset, [RELEASE]))
        _await_end(run, dead, end)
    _await_archived(run, group, topic)
    run.call("dead letters", fetch((dead, [part(0)])), 12)
    member.look("nothing is left")


@scenario
def share_dead_letters(run: Run) -> None:
    """Rejected, and released too often: headers alone."""
    _give_up(run, copies=False)


@scenario
def share_dead_letters_with_copies(run: Run) -> None:
    """Rejected, and released too often: headers, key and value."""
    _give_up(run, copies=True)
