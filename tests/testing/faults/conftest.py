"""Every fault, with a stock client that meets it: what that client does is what the assertions say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kstream.testing import Broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker({"t": 1, "u": 1}) as running:
        yield running
