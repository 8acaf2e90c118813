"""Settings for all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# Continuous integration shares its cores: how long one example takes says nothing about the code.
settings.register_profile("kstream", deadline=None)
settings.load_profile("kstream")

# A shell has SIGINT ignored for what it runs in the background, and programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
