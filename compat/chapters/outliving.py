"""Clients that outlive what they work with: a topic deleted and made again, a server that is killed."""

from __future__ import annotations

from collections.abc import Callable

from compat.chapters.groups import fill, read
from compat.story import Adapter, Start, create, expect, wait_until


def producing_recreated(client: Adapter, topic: str) -> None:
    """A running producer goes on with the new topic of the old name."""
    create(client, topic, 1)
    fill(client, topic, "old", partitions=1)
    _make_again(client, topic)
    new = fill(client, topic, "new", partitions=1, count=7)
    got = client.fetch(topic, 0, Start(), 7)
    expect({each.value for each in got} == new, f"what is new, and no more: {got}")


def consuming_recreated(client: Adapter, topic: str) -> None:
    """A running member goes on with the new topic of the old name, from its beginning."""
    create(client, topic, 1)
    member = client.join(topic, topic)
    try:
        read([member], fill(client, topic, "old", partitions=1))
        member.commit()
        _make_again(client, topic)
        new = fill(
            client, topic, "new", partitions=1, count=7, codec="gzip"
        )  # by a producer that is new, too
        got = read([member], new)
        expect({each.value for each in got} == new, f"what is new, and no more: {got}")
        expect(sorted({each.offset for each in got}) == list(range(7)), f"offsets begin again: {got}")
        member.close()
    finally:
        member.kill()


def _make_again(client: Adapter, topic: str) -> None:
    client.delete_topic(topic)
    try:
        wait_until(lambda: topic not in client.partition_counts(), f"{topic} is gone", timeout_s=3.0)
        create(client, topic, 1)
    except Exception:
        # A member that goes on asking for it may have had it created by the broker.
        wait_until(lambda: client.partition_counts().get(topic) == 1, f"{topic} is there again")


def restarted(restart: Callable[[], None]) -> Callable[[Adapter, str], None]:
    """The chapter in which the server is killed under a running producer and a running member."""

    def tell(client: Adapter, topic: str) -> None:
        create(client, topic, 1)
        member = client.join(topic, topic)
        try:
            read([member], fill(client, topic, "before", partitions=1))
            member.commit()
            restart()
            after = fill(client, topic, "after", partitions=1)
            got = read([member], after)
            expect({each.value for each in got} == after, "what is new, and no more")
            member.commit()
            member.close()
        finally:
            member.kill()

    return tell
