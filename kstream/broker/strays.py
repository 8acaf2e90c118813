"""Partition directories that the metadata does not know: a crash came between a topic's deletion and its
files'.

Left in place, such a directory would be taken for a new topic of the same name, and refused for its topic
id. It is set aside under a name that nothing opens, as Apache Kafka does, and not deleted: should the
metadata log be what is wrong, the records are still there.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kstream.broker.metadata.image import METADATA_TOPIC, MetadataImage
from kstream.log.checkpoints import CorruptCheckpoint
from kstream.log.directory import LogDirectory
from kstream.log.errors import UnusableDirectory
from kstream.log.partition_metadata import read_topic_id
from kstream.wire.uuids import random_uuid

log = logging.getLogger(__name__)

_SUFFIX = "-stray"


def set_strays_aside(directory: LogDirectory, image: MetadataImage) -> list[Path]:
    """Rename what belongs to no topic; return the new names. After a clean stop there is nothing to look for.

    Raises UnusableDirectory.
    """
    if directory.was_clean:
        return []
    renamed: list[Path] = []
    for topic, index in directory.partition_keys():
        path = directory.partition_path(topic, index)
        if topic == METADATA_TOPIC or _is_known(image, topic, index, path):
            continue
        aside = path.with_name(f"{path.name}.{random_uuid().hex()}{_SUFFIX}")
        try:
            path.rename(aside)
        except OSError as error:
            raise UnusableDirectory(f"cannot rename {path}: {error.strerror}") from error
        directory.unrecovered.discard((topic, index))
        log.warning("%s belongs to no topic and is now %s; delete it if nobody misses it", path, aside.name)
        renamed.append(aside)
    return renamed


def _is_known(image: MetadataImage, topic: str, index: int, path: Path) -> bool:
    found = image.topics_by_name.get(topic)
    if found is None or index >= len(found.partitions):
        return False
    try:
        topic_id = read_topic_id(path)
    except CorruptCheckpoint:
        return True  # opening it writes the id anew
    return topic_id is None or topic_id == found.topic_id
