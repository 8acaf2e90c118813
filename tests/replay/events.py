"""Any record at all, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from kstream.replay.event import Event

CONTENT = (
    st.none()
    | st.binary(max_size=40)
    | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
)
NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
HEADERS = st.lists(st.tuples(NAME, CONTENT), max_size=4).map(tuple)
TIMESTAMP_MS = st.integers(0, 1 << 45)


def events(partitions: int = 4) -> st.SearchStrategy[list[Event]]:
    """Records of a topic: offsets ascend in each partition, without holes."""

    def number(drawn: list[Event]) -> list[Event]:
        counts = [0] * partitions
        numbered = []
        for event in drawn:
            assert event.partition is not None
            numbered.append(event._replace(offset=counts[event.partition]))
            counts[event.partition] += 1
        return numbered

    event = st.builds(
        Event,
        st.integers(0, partitions - 1),
        st.just(0),
        TIMESTAMP_MS,
        CONTENT,
        CONTENT,
        HEADERS,
        st.just(False),
    )
    return st.lists(event, max_size=40).map(number)
