"""The table of transitions, and its picture in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer import states as consumer_states
from kstream.groups.share import states as share_states
from kstream.groups.states import ALLOWED, TRANSITIONS, ClassicState, picture

DOCUMENT = Path(__file__).parents[2] / "docs" / "groups.md"


def test_the_documentation_shows_the_table() -> None:
    assert f"```mermaid\n{picture()}\n```" in DOCUMENT.read_text()


@pytest.mark.parametrize(
    "table", [consumer_states.GROUP_TRANSITIONS, consumer_states.MEMBER_TRANSITIONS], ids=["group", "member"]
)
def test_the_documentation_shows_the_tables_of_kip_848(
    table: tuple[consumer_states.Transition, ...],
) -> None:
    assert f"```mermaid\n{consumer_states.picture(table)}\n```" in DOCUMENT.read_text()


def test_the_documentation_shows_the_table_of_share_groups() -> None:
    table = consumer_states.picture(share_states.GROUP_TRANSITIONS)
    assert f"```mermaid\n{table}\n```" in DOCUMENT.with_name("queues.md").read_text()


@pytest.mark.parametrize("source", ClassicState)
@pytest.mark.parametrize("target", ClassicState)
def test_no_other_arrows(source: ClassicState, target: ClassicState) -> None:
    group = ClassicGroup("group")
    group.state = source
    if (source, target) in ALLOWED:
        group.become(target, 5)
        assert (group.previous_state, group.state, group.state_timestamp_ms) == (source, target, 5)
    else:
        with pytest.raises(RuntimeError, match=f"from {source} to {target}"):
            group.become(target, 5)


def test_every_state_can_be_left_but_dead() -> None:
    assert {arrow.source for arrow in TRANSITIONS} == set(ClassicState) - {ClassicState.DEAD}
