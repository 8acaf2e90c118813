"""The table of a record's states, its picture in the documentation, and that nothing else happens."""

from __future__ import annotations

from pathlib import Path

from kstream.shares.states import ALLOWED, TRANSITIONS, RecordState, picture
from tests.shares.simulated import Simulation

DOCUMENT = Path(__file__).parents[2] / "docs" / "queues.md"


def test_the_documentation_shows_the_table() -> None:
    assert f"```mermaid\n{picture()}\n```" in DOCUMENT.read_text()


def test_every_state_can_be_reached_and_all_but_the_final_ones_left() -> None:
    assert {arrow.target for arrow in TRANSITIONS} == set(RecordState)
    assert {arrow.source for arrow in TRANSITIONS} == {
        state for state in RecordState if not state.is_terminal
    }


def test_no_other_arrows() -> None:
    """A record that is written down in a state it cannot come to from the one before would be seen here."""
    for seed in range(20):
        simulation = Simulation(seed)
        before: dict[int, RecordState] = {}
        for _ in range(100):
            window = simulation.window
            simulation.step()
            after = {
                number: run.state
                for batch in simulation.window.batches
                for run in batch.runs
                if run.change is None
                for number in range(run.first, run.last + 1)
            }
            if simulation.window is window:
                for number, state in after.items():
                    source = before.get(number, RecordState.AVAILABLE)
                    assert source is state or _reachable(source, state), f"{number}: {source} to {state}"
            before = after


def _reachable(source: RecordState, target: RecordState) -> bool:
    """Whether a few arrows lead there: a step of the simulation can be several."""
    seen = {source}
    for _ in RecordState:
        seen |= {after for state in seen for after in RecordState if (state, after) in ALLOWED}
    return target in seen
