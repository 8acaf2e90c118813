"""`partition.metadata`: the id of the topic that a partition's directory belongs to (KIP-516).

Two lines: `version: 0` and `topic_id: <22 characters>`. Crash policy: written once, synced, never changed.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kstream.log.checkpoints import CorruptCheckpoint, replace_file
from kstream.log.errors import LogStorageError
from kstream.wire.uuids import format_uuid, parse_uuid

_log = logging.getLogger(__name__)

FILE_NAME = "partition.metadata"


def write_topic_id(directory: Path, topic_id: bytes, *, sync: bool = False) -> None:
    """Write the file. Raises OSError."""
    content = f"version: 0\ntopic_id: {format_uuid(topic_id)}\n"
    replace_file(directory / FILE_NAME, content.encode(), sync=sync)


def read_topic_id(directory: Path) -> bytes | None:
    """The topic's id, 16 bytes; None if there is no file. Raises CorruptCheckpoint."""
    path = directory / FILE_NAME
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    values = dict(line.split(": ", 1) for line in lines if ": " in line)
    if values.get("version") != "0" or "topic_id" not in values:
        raise CorruptCheckpoint(f"{path} is not partition metadata of version 0")
    try:
        return parse_uuid(values["topic_id"])
    except ValueError as error:
        raise CorruptCheckpoint(f"{path} has a topic id that is none") from error


def settle_topic_id(directory: Path, topic_id: bytes | None) -> bytes | None:
    """The id of the topic that a directory belongs to: as its file says, or as it is to be, which is written.

    Raises OSError, LogStorageError if it belongs to another topic, or nobody knows to which.
    """
    try:
        known = read_topic_id(directory)
    except CorruptCheckpoint as reason:
        if topic_id is None:
            raise LogStorageError(str(reason)) from reason
        _log.warning("writing the topic id anew: %s", reason)
        known = None
    if known is None:
        if topic_id is not None:
            write_topic_id(directory, topic_id)
        return topic_id
    if topic_id is not None and known != topic_id:
        raise LogStorageError(
            f"{directory} belongs to topic id {format_uuid(known)}, not to {format_uuid(topic_id)}"
        )
    return known
