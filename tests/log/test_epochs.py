"""Leader epochs: assignment, end offsets (KIP-279), truncation at both ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.log.checkpoints import CorruptCheckpoint
from kstream.log.epochs import LeaderEpochs


def epochs_with(path: Path, *entries: tuple[int, int]) -> LeaderEpochs:
    epochs = LeaderEpochs(path)
    for epoch, start in entries:
        epochs.assign(epoch, start)
    return epochs


def test_the_end_of_an_epoch_is_the_start_of_the_next(tmp_path: Path) -> None:
    epochs = epochs_with(tmp_path / "e", (2, 10), (5, 20), (7, 30))
    assert epochs.end_offset_for(7, 99) == (7, 99)
    assert epochs.end_offset_for(6, 99) == (5, 30)
    assert epochs.end_offset_for(5, 99) == (5, 30)
    assert epochs.end_offset_for(3, 99) == (2, 20)
    assert epochs.end_offset_for(1, 99) == (1, 10)
    assert epochs.end_offset_for(8, 99) == (-1, -1)
    assert epochs.end_offset_for(-1, 99) == (-1, -1)
    assert LeaderEpochs(tmp_path / "none").end_offset_for(0, 99) == (-1, -1)
    assert [epochs.epoch_of(offset) for offset in (0, 10, 19, 20, 500)] == [-1, 2, 2, 5, 7]


def test_a_new_epoch_replaces_what_it_contradicts(tmp_path: Path) -> None:
    epochs = epochs_with(tmp_path / "e", (1, 0), (2, 10), (3, 20), (3, 25))
    assert epochs.entries == [(1, 0), (2, 10), (3, 20)]
    epochs.assign(4, 20)
    assert epochs.entries == [(1, 0), (2, 10), (4, 20)]
    epochs.assign(5, 5)
    assert epochs.entries == [(1, 0), (5, 5)]
    assert epochs.latest == 5


def test_truncation_at_both_ends(tmp_path: Path) -> None:
    epochs = epochs_with(tmp_path / "e", (1, 0), (2, 10), (3, 20))
    epochs.raise_start(15)
    assert epochs.entries == [(2, 15), (3, 20)]
    epochs.truncate_to(20)
    assert epochs.entries == [(2, 15)]
    epochs.truncate_to(15)
    assert (epochs.entries, epochs.latest) == ([], -1)


def test_files_are_kafkas_and_come_back(tmp_path: Path) -> None:
    epochs_with(tmp_path / "e", (1, 0), (4, 17))
    assert (tmp_path / "e").read_text() == "0\n2\n1 0\n4 17\n"
    again = LeaderEpochs(tmp_path / "e")
    again.load()
    assert again.entries == [(1, 0), (4, 17)]


@pytest.mark.parametrize(
    "content", ["", "0\n", "1\n0\n", "0\n2\n1 0\n", "0\n1\n1\n", "0\n2\n4 0\n3 5\n", "0\n1\na b\n"]
)
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "e").write_text(content)
    with pytest.raises(CorruptCheckpoint):
        LeaderEpochs(tmp_path / "e").load()
