"""Pausing, stepping and ending by keys."""

from __future__ import annotations

import threading

import pytest

from kstream.cli.keys import Keys


def test_nothing_waits_until_somebody_pauses() -> None:
    keys = Keys()
    keys.wait()
    keys.press(" ")
    assert keys.is_paused
    keys.press(" ")
    assert not keys.is_paused
    keys.wait()


def test_each_step_lets_one_go() -> None:
    keys = Keys(is_paused=True)
    keys.press("s")
    keys.press("\n")
    keys.wait()
    keys.wait()
    passed = threading.Event()

    def third() -> None:
        keys.wait()
        passed.set()

    waiting = threading.Thread(target=third)
    waiting.start()
    assert not passed.is_set()
    keys.press("s")
    waiting.join(60)
    assert passed.is_set()


def test_the_end_of_the_input_comes_after_what_was_asked_for() -> None:
    keys = Keys(is_paused=True)
    for key in ("\n", ""):
        keys.press(key)
    keys.wait()
    with pytest.raises(KeyboardInterrupt):
        keys.wait()


def test_quitting_is_at_once() -> None:
    keys = Keys(is_paused=True)
    for key in ("\n", "q"):
        keys.press(key)
    with pytest.raises(KeyboardInterrupt):
        keys.wait()
