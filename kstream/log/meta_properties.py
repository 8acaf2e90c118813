"""`meta.properties`: which cluster and node a log directory belongs to, and its own id (KIP-858).

Java properties: `version=1`, `cluster.id`, `node.id`, `directory.id`. Crash policy: written once, synced; a
directory without it is new.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kstream.log.checkpoints import replace_file
from kstream.log.errors import UnusableDirectory
from kstream.wire.uuids import format_uuid, parse_uuid, random_uuid

FILE_NAME = "meta.properties"


class MetaProperties(NamedTuple):
    """What the file says."""

    cluster_id: str
    node_id: int
    directory_id: bytes


def settle(directory: Path, *, node_id: int, cluster_id: str | None, sync: bool = True) -> MetaProperties:
    """Read the file, or write it for a new directory; `cluster_id` None accepts any, and invents one if there
    is none.

    Raises UnusableDirectory if the directory belongs to another cluster or node, OSError.
    """
    path = directory / FILE_NAME
    try:
        content = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        fresh = MetaProperties(cluster_id or format_uuid(random_uuid()), node_id, random_uuid())
        _write(path, fresh, sync=sync)
        return fresh
    values = _parse(content)
    try:
        if values["version"] != "1":
            raise UnusableDirectory(f"{path} has version {values['version']}; only 1 is known")
        known_cluster_id, known_node_id = values["cluster.id"], int(values["node.id"])
        has_directory_id = "directory.id" in values
        directory_id = parse_uuid(values["directory.id"]) if has_directory_id else random_uuid()
    except (KeyError, ValueError) as error:
        raise UnusableDirectory(f"{path} does not say what it must: {error}") from error
    if cluster_id is not None and known_cluster_id != cluster_id:
        raise UnusableDirectory(f"{directory} belongs to cluster {known_cluster_id}, not to {cluster_id}")
    if known_node_id != node_id:
        raise UnusableDirectory(
            f"{directory} belongs to node {known_node_id}, not to {node_id}: "
            "set node.id, or choose another directory"
        )
    known = MetaProperties(known_cluster_id, known_node_id, directory_id)
    if not has_directory_id:
        _write(path, known, sync=sync)
    return known


def _write(path: Path, meta: MetaProperties, *, sync: bool) -> None:
    lines = [
        f"cluster.id={meta.cluster_id}",
        f"directory.id={format_uuid(meta.directory_id)}",
        f"node.id={meta.node_id}",
        "version=1",
        "",
    ]
    replace_file(path, "\n".join(lines).encode(), sync=sync)


def _parse(content: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in content.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith(("#", "!")):
            values[key.strip()] = value.strip().replace("\\", "")
    return values
