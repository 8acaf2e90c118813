"""Fetch sessions follow KIP-227, and their cache is bounded."""

from __future__ import annotations

import pytest

from kstream.broker.fetch_sessions import FetchPlan, FetchSessions
from kstream.errors import ApiError, ErrorCode
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic

MINUTE_MS = 60_000


def request(session_id: int, epoch: int, *partitions: int, forget: tuple[int, ...] = ()) -> FetchRequest:
    return FetchRequest(
        session_id=session_id,
        session_epoch=epoch,
        topics=[FetchTopic(topic="t", partitions=[FetchPartition(partition=index) for index in partitions])]
        if partitions
        else [],
        forgotten_topics_data=[ForgottenTopic(topic="t", partitions=list(forget))] if forget else [],
    )


def plan(sessions: FetchSessions, wanted: FetchRequest, now_ms: int = 0) -> FetchPlan:
    return sessions.plan(wanted, uses_topic_ids=False, now_ms=now_ms)


def indexes(found: FetchPlan) -> list[int]:
    return [partition.index for partition in found.partitions]


def opened(sessions: FetchSessions, *partitions: int, now_ms: int = 0) -> int:
    session = plan(sessions, request(0, 0, *partitions), now_ms).session
    assert session is not None
    return session.id


def error_of(sessions: FetchSessions, wanted: FetchRequest) -> ErrorCode:
    with pytest.raises(ApiError) as caught:
        plan(sessions, wanted)
    return caught.value.code


def test_without_a_session_every_request_is_whole() -> None:
    sessions = FetchSessions(10)
    found = plan(sessions, request(0, -1, 0, 1))
    assert (indexes(found), found.session, found.is_incremental) == ([0, 1], None, False)
    assert len(sessions) == 0


def test_a_session_remembers_adds_and_forgets() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0, 1)
    assert indexes(plan(sessions, request(session_id, 1))) == [0, 1]
    assert indexes(plan(sessions, request(session_id, 2, 2, forget=(0,)))) == [1, 2]
    assert plan(sessions, request(session_id, 3)).is_incremental


def test_epochs_come_in_order_and_wrap() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0)
    assert error_of(sessions, request(session_id, 2)) is ErrorCode.INVALID_FETCH_SESSION_EPOCH
    found = plan(sessions, request(session_id, 1))
    assert found.session is not None
    found.session.epoch = 2**31 - 1
    plan(sessions, request(session_id, 2**31 - 1))
    assert indexes(plan(sessions, request(session_id, 1))) == [0]


def test_an_unknown_session_and_mixed_topic_keys() -> None:
    sessions = FetchSessions(10)
    assert error_of(sessions, request(7, 1)) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    session_id = opened(sessions, 0)
    with pytest.raises(ApiError) as caught:
        sessions.plan(request(session_id, 1), uses_topic_ids=True, now_ms=0)
    assert caught.value.code is ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_a_session_ends_on_request_and_when_it_is_empty() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0)
    assert plan(sessions, request(session_id, -1, 0)).session is None
    assert error_of(sessions, request(session_id, 1)) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    session_id = opened(sessions, 0)
    assert plan(sessions, request(session_id, 1, forget=(0,))).session is None
    assert len(sessions) == 0


def test_news_is_told_once_and_errors_until_they_end() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0)
    (wanted,) = plan(sessions, request(session_id, 1)).partitions
    assert wanted.take_news(5, 0, is_news=False)
    assert not wanted.take_news(5, 0, is_news=False)
    assert wanted.take_news(5, 0, is_news=True)
    assert wanted.take_news(-1, -1, is_news=False)
    assert wanted.take_news(-1, -1, is_news=False)
    assert wanted.take_news(5, 0, is_news=False)
    assert not wanted.take_news(5, 0, is_news=False)


def test_what_was_told_survives_a_new_offset() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0)
    (wanted,) = plan(sessions, request(session_id, 1)).partitions
    assert wanted.take_news(5, 0, is_news=False)
    (wanted,) = plan(sessions, request(session_id, 2, 0)).partitions
    assert not wanted.take_news(5, 0, is_news=False)


def test_who_got_data_goes_to_the_end() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0, 1, 2)
    found = plan(sessions, request(session_id, 1))
    assert found.session is not None
    found.session.move_to_end(found.partitions[0])
    assert indexes(plan(sessions, request(session_id, 2))) == [1, 2, 0]


def test_the_cache_is_bounded_and_gives_stale_places_away() -> None:
    sessions = FetchSessions(2)
    first, second = opened(sessions, 0), opened(sessions, 0)
    assert plan(sessions, request(0, 0, 0)).session is None
    plan(sessions, request(first, 1), now_ms=MINUTE_MS)
    third = opened(sessions, 0, now_ms=3 * MINUTE_MS)
    assert len(sessions) == 2
    assert error_of(sessions, request(second, 1)) is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert plan(sessions, request(third, 1), now_ms=3 * MINUTE_MS).session is not None


def test_a_large_session_displaces_an_old_small_one() -> None:
    sessions = FetchSessions(1)
    first = opened(sessions, 0)
    plan(sessions, request(first, 1), now_ms=3 * MINUTE_MS)
    assert plan(sessions, request(0, 0, 0), now_ms=3 * MINUTE_MS).session is None
    assert plan(sessions, request(0, 0, 0, 1), now_ms=3 * MINUTE_MS).session is not None


def test_no_slots_means_no_sessions() -> None:
    assert plan(FetchSessions(0), request(0, 0, 0)).session is None


def test_partitions_of_all_sessions_are_bounded() -> None:
    sessions = FetchSessions(10, partitions_max=5)
    first = opened(sessions, 0, 1, 2)
    assert plan(sessions, request(0, 0, 0, 1, 2)).session is None
    second = opened(sessions, 0, 1)
    assert indexes(plan(sessions, request(first, 1, 0, 1))) == [0, 1, 2]
    assert error_of(sessions, request(second, 1, 2)) == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert len(sessions) == 1
    assert indexes(plan(sessions, request(first, 2, 3, forget=(0,)))) == [1, 2, 3]
    opened(sessions, 0, 1)
    assert plan(sessions, request(0, 0, *range(6)), 10 * MINUTE_MS).session is None
    assert len(sessions) == 2
    assert plan(sessions, request(0, 0, 0, 1, 2), 10 * MINUTE_MS).session is not None
    assert len(sessions) == 2


def test_what_a_later_request_forgot_is_not_moved() -> None:
    sessions = FetchSessions(10)
    session_id = opened(sessions, 0, 1)
    waiting = plan(sessions, request(session_id, 1))
    plan(sessions, request(session_id, 2, forget=(0,)))
    assert waiting.session is not None
    for partition in waiting.partitions:
        waiting.session.move_to_end(partition)
    assert indexes(plan(sessions, request(session_id, 3))) == [1]
