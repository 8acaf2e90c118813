"""Power is cut between any two system calls, on a simulated disk: what was acknowledged as durable is there
afterwards, and nothing is there that nobody wrote.

A server's life is a log directory with one partition, which is opened, written to in every way that a broker
has, checkpointed, compacted, deleted from, made anew, and stopped. Lives follow each other on what the cuts
left.
"""

from __future__ import annotations

import copy
import os
import random
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.platform import Platform
from tests.dying import Died
from tests.log.lives import CONFIGS, STEP, Life, Model
from tests.log.simulated_disk import SimulatedDisk
from tests.log.support import NOW_MS

STEPS = st.lists(STEP, min_size=1, max_size=40)
Plan = tuple[list[str], bool, int]
"""What a server does, whether it is stopped then, and how many system calls the power lasts."""
LIVES = st.lists(st.tuples(STEPS, st.booleans(), st.integers(0, 300)), min_size=1, max_size=3)
SEEDS = st.integers(0, 2**32)
POLICIES = ("compact", "delete")
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""In memory where that can be had: making and deleting small files on the real disk took half of the time."""


@pytest.mark.parametrize("policy", POLICIES)
@given(lives=LIVES, seed=SEEDS)
@settings(max_examples=40)
def test_what_was_acknowledged_is_there(policy: str, lives: list[Plan], seed: int) -> None:
    cut_again_and_again(policy, lives, seed)


@pytest.mark.parametrize(
    ("is_stopped", "steps"),
    [
        # A clean stop, behind which the indexes of the active segment are believed.
        (True, ["append", "append", "append", "transact", "abort", "flush"]),
        # What DeleteRecords and retention took away is not there again.
        (False, ["append", "roll", "append", "delete", "checkpoint", "flush"]),
        # A record that was flushed makes way for one that was not.
        (False, ["append", "large", "flush", "roll", "large", "append", "roll", "compact"]),
        # The roll gives reserved space back behind the flush.
        (False, ["append", "flush", "roll"]),
        # A topic of the same name begins at offset 0.
        (False, ["append", "append", "delete", "recreate", "append", "flush"]),
    ],
)
def test_a_cut_at_each_step(is_stopped: bool, steps: list[str]) -> None:
    chance = 0
    while cut_again_and_again("compact", [(steps, is_stopped, 12 + chance)], chance):
        chance += 1
    assert chance > 12


def test_a_start_is_clean_once() -> None:
    """What a clean stop left behind does not vouch for what came later."""
    for chance in range(60):
        written = ["append", "large", "append", "large"]
        cut_again_and_again(
            "delete", [(["append", "flush"], True, 300), (written, False, 12 + chance % 15)], chance
        )


def test_what_recovery_writes_anew_is_not_believed_before_it_is_on_the_disk() -> None:
    """The index of aborted transactions, of a segment that was flushed to its end before it was rolled."""
    steps = ["append", "append", "append", "append", "large", "transact", "abort", "append"]
    lives = [(steps, True, 55), (["checkpoint", "append"], False, 23), (["append"], False, 15)]
    cut_again_and_again("delete", lives, 0)


def test_a_directory_that_a_killed_process_made_is_synced_by_the_next(tmp_path: Path) -> None:
    with closing(SimulatedDisk(tmp_path)) as disk:
        with disk.attached() as platform:
            for steps in (["append"], ["append", "flush"]):
                life = Life(tmp_path, platform, CONFIGS["delete"], Model())
                life.take(steps)
                life.directory.abandon()
        for chance in range(20):
            disk.cut(tmp_path.with_name(f"after-{chance}"), random.Random(chance))
            again = LogDirectory.open(tmp_path.with_name(f"after-{chance}"))
            log = again.open_partition("t", 0, CONFIGS["delete"], topic_id=None, now_ms=NOW_MS)
            assert log.end_offset == 4
            again.abandon()


def cut_again_and_again(policy: str, lives: list[Plan], seed: int) -> bool:
    """One life after the other, each on one of the disks that the cut in the one before may have left; the
    other disks are looked at, too. Returns whether the last one ended before its time.
    """
    chance = random.Random(seed)
    config = CONFIGS[policy]
    model = Model()
    with tempfile.TemporaryDirectory(prefix="kstream-disk-", dir=FOLDER) as root:
        directory = Path(root, "0")
        directory.mkdir()
        for number, (steps, is_stopped, calls) in enumerate(lives, 1):
            with closing(SimulatedDisk(directory)) as disk:
                with disk.attached() as platform:
                    disk.calls_left = calls
                    life = None
                    try:
                        life = Life(directory, platform, config, model)
                        life.check()
                        life.take(steps)
                        if is_stopped:
                            life.stop()
                    except Died:
                        pass
                if life is not None:
                    life.directory.abandon()
                for attempt in range(2):
                    look_at(disk, Path(root, f"{number}-{attempt}"), chance, config, model)
                directory = Path(root, f"{number}")
                if number < len(lives):
                    disk.cut(directory, chance)
    return disk.is_cut


def look_at(
    disk: SimulatedDisk, directory: Path, chance: random.Random, config: LogConfig, model: Model
) -> None:
    """Start on one of the disks that there may be, and write on."""
    disk.cut(directory, chance)
    life = Life(directory, Platform.native().without_sync(), config, copy.deepcopy(model))
    life.check()
    life.take(["append", "roll", "append"])
    life.check()
    life.directory.abandon()
