"""Fetch sessions (KIP-227)."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import NO_TOPIC, fetch, part, store
from compat.oracle.run import Run, scenario

VERSIONS = range(7, 19)


@scenario
def fetch_session_life(run: Run) -> None:
    """A session from its full fetch over incremental ones to its end."""
    for version in VERSIONS:
        topic = run.topic(f"v{version}", partitions=3)
        store(run, topic, batch(b"a"), index=0)
        wanted = [part(0), part(1), part(2)]
        session = run.call("full", fetch((topic, wanted), session_epoch=0), version).session_id
        run.call("records not taken yet", fetch(session_id=session, session_epoch=1), version)
        run.call("taken", fetch((topic, [part(0, 1)]), session_id=session, session_epoch=2), version)
        run.call("nothing new", fetch(session_id=session, session_epoch=3), version)
        store(run, topic, batch(b"b"), index=1)
        run.call("one partition grew", fetch(session_id=session, session_epoch=4), version)
        gone = [(topic, [1])]
        run.call("forget it", fetch(forgotten=gone, session_id=session, session_epoch=5), version)
        store(run, topic, batch(b"c"), index=1)
        run.call("forgotten is silent", fetch(session_id=session, session_epoch=6), version)
        run.call(
            "forget what is not there", fetch(forgotten=gone, session_id=session, session_epoch=7), version
        )
        run.call("add it again", fetch((topic, [part(1, 1)]), session_id=session, session_epoch=8), version)
        both = fetch((topic, [part(2)]), forgotten=[(topic, [2])], session_id=session, session_epoch=9)
        run.call("add and forget at once", both, version)
        run.call("close", fetch((topic, wanted), session_id=session, session_epoch=-1), version)
        run.call("closed", fetch(session_id=session, session_epoch=10), version)


@scenario
def fetch_session_epochs(run: Run) -> None:
    """Sessions that do not exist and epochs out of order."""
    topic = run.topic("a")
    for version in VERSIONS:
        run.call("no such session", fetch(session_id=123456, session_epoch=1), version)
        run.call("session 0", fetch((topic, [part()]), session_epoch=1), version)
        run.call("negative session", fetch((topic, [part()]), session_id=-5, session_epoch=1), version)
        run.call(
            "final, no such session", fetch((topic, [part()]), session_id=123456, session_epoch=-1), version
        )
        run.call("initial, no such session", fetch((topic, [part()]), session_id=9, session_epoch=0), version)
        session = run.call("full", fetch((topic, [part()]), session_epoch=0), version).session_id
        for epoch in (2, 0x7FFFFFFF, -2):
            run.call(f"epoch {epoch} in place of 1", fetch(session_id=session, session_epoch=epoch), version)
        run.call("epoch 1 still works", fetch(session_id=session, session_epoch=1), version)
        run.call("epoch 1 again", fetch(session_id=session, session_epoch=1), version)
        renewed = run.call(
            "start over", fetch((topic, [part()]), session_id=session, session_epoch=0), version
        )
        run.call("the old one is gone", fetch(session_id=session, session_epoch=2), version)
        run.call("the new one is there", fetch(session_id=renewed.session_id, session_epoch=1), version)


@scenario
def fetch_session_empty(run: Run) -> None:
    """Sessions about nothing: asked for, and come to."""
    topic = run.topic("a")
    for version in VERSIONS:
        run.call("asked for", fetch(session_epoch=0), version)
        session = run.call("full", fetch((topic, [part()]), session_epoch=0), version).session_id
        forget = fetch(forgotten=[(topic, [0])], session_id=session, session_epoch=1)
        run.call("forget all", forget, version)
        run.call("after that", fetch(session_id=session, session_epoch=2), version)


@scenario
def fetch_session_errors(run: Run) -> None:
    """Partitions in error are told every time, until they are forgotten."""
    topic = run.topic("a")
    for version in VERSIONS:
        wanted = [(topic, [part(0, 50), part(7)]), (NO_TOPIC, [part()])]
        session = run.call("full, all wrong", fetch(*wanted, session_epoch=0), version).session_id
        run.call("still wrong", fetch(session_id=session, session_epoch=1), version)
        run.call("one put right", fetch((topic, [part()]), session_id=session, session_epoch=2), version)
        forget = fetch(forgotten=[(topic, [7]), (NO_TOPIC, [0])], session_id=session, session_epoch=3)
        run.call("the others forgotten", forget, version)
        run.call("nothing left to say", fetch(session_id=session, session_epoch=4), version)


@scenario
def fetch_session_topic_ids(run: Run) -> None:
    """A session belongs to names or to ids: the other kind gets 106 (KIP-516)."""
    topic = run.topic("a")
    for by_name, by_id in ((12, 13), (7, 18), (11, 15)):
        for first, second in ((by_name, by_id), (by_id, by_name)):
            kinds = f"made by v{first}, used by v{second}"
            session = run.call(f"{kinds}: full", fetch((topic, [part()]), session_epoch=0), first).session_id
            run.call(f"{kinds}: empty", fetch(session_id=session, session_epoch=1), second)
            run.call(f"{kinds}: same", fetch((topic, [part()]), session_id=session, session_epoch=1), second)
            run.call(f"{kinds}: back", fetch(session_id=session, session_epoch=1), first)
            run.call(f"{kinds}: back, next", fetch(session_id=session, session_epoch=2), first)


@scenario
def fetch_session_order(run: Run) -> None:
    """Partitions that were served move behind those that were not."""
    topic = run.topic("a", partitions=3)
    for index in range(3):
        store(run, topic, batch(b"x" * 100), batch(b"y" * 100), index=index)
    for version in (7, 12, 13, 18):
        wanted = [part(0), part(1), part(2)]
        session = run.call("full", fetch((topic, wanted), session_epoch=0, max_bytes=150), version).session_id
        for epoch in range(1, 5):
            request = fetch(session_id=session, session_epoch=epoch, max_bytes=150)
            run.call(f"incremental {epoch}", request, version)


@scenario
def fetch_session_deleted_topic(run: Run) -> None:
    """A topic deleted, and made anew, under a session."""
    from kstream.wire.messages.delete_topics import DeleteTopicsRequest

    for version in (7, 12, 13, 18):
        suffix = f"v{version}"
        topic = run.topic(suffix)
        session = run.call("full", fetch((topic, [part()]), session_epoch=0), version).session_id
        run.ask(DeleteTopicsRequest(topic_names=[topic.name], timeout_ms=10_000), 3)
        run.until(
            fetch((topic, [part()])), 12, lambda answer: answer.responses[0].partitions[0].error_code == 3
        )
        run.call("deleted", fetch(session_id=session, session_epoch=1), version)
        again = run.topic(suffix)
        run.call("made anew", fetch(session_id=session, session_epoch=2), version)
        run.call("asked anew", fetch((again, [part()]), session_id=session, session_epoch=3), version)
