"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# Continuous integration shares its cores: how long one example takes says nothing about the code.
settings.register_profile("kstream", deadline=None)
settings.load_profile("kstream")
