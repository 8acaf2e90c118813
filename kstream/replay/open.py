"""Sources and targets by their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kstream.replay.ends import Source, Target
from kstream.replay.errors import ReplayError
from kstream.replay.moments import Range
from kstream.replay.places import PARQUET, DirectoryPlace, FilePlace, Place, TopicPlace


def _is_parquet(place: FilePlace) -> bool:
    return place.path is not None and place.path.suffix == PARQUET


def open_source(
    place: Place,
    span: Range,
    *,
    is_committed_only: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> Source:
    """A range of what is at a place. Raises `ReplayError`."""
    if isinstance(place, TopicPlace):
        from kstream.replay.topic_source import TopicSource

        return TopicSource(
            place.bootstrap, place.topic, span, is_committed_only=is_committed_only, settings=settings
        )
    if isinstance(place, DirectoryPlace):
        from kstream.replay.directory_source import DirectorySource

        return DirectorySource(place.directory, place.topic, span, is_committed_only=is_committed_only)
    if _is_parquet(place):
        from kstream.replay.parquet import ParquetSource

        return ParquetSource(place.path, span)
    from kstream.replay.files import JsonLinesSource

    return JsonLinesSource(place.path, span)


def open_target(
    place: Place, *, kept_bytes: int | None = None, settings: Mapping[str, Any] | None = None
) -> Target:
    """What is at a place, made if it is not there; a file is continued behind `kept_bytes`. Raises
    `ReplayError`.
    """
    if isinstance(place, TopicPlace):
        from kstream.replay.topic_target import TopicTarget

        return TopicTarget(place.bootstrap, place.topic, settings=settings)
    if isinstance(place, DirectoryPlace):
        from kstream.replay.directory_target import DirectoryTarget

        return DirectoryTarget(place.directory, place.topic)
    if _is_parquet(place):
        if kept_bytes is not None:
            raise ReplayError(f"{place} cannot be continued: a Parquet file is whole only at its end")
        from kstream.replay.parquet import ParquetTarget

        return ParquetTarget(place.path)
    from kstream.replay.files import JsonLinesTarget

    return JsonLinesTarget(place.path, kept_bytes=kept_bytes)
