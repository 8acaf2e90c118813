"""What these examples need of share groups: one that begins at the beginning, its workers, their
messages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import AcknowledgeType, Message, ShareConsumer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from plumbing import BOOTSTRAP, mine

ACCEPT, RELEASE, REJECT = AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT


def new_queue_group(name: str, **configs: str) -> str:
    """A share group of this run's own that begins at the beginning. Configs have `_` for `.`."""
    given = {"share_auto_offset_reset": "earliest", **configs}
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in given.items()
    ]
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    resource = ConfigResource(ResourceType.GROUP, mine(name), incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    return mine(name)


def new_worker(group: str, *topics: str, **settings: Any) -> ShareConsumer:
    """A member of a share group that says of each message what became of it."""
    given = {key.replace("_", "."): value for key, value in settings.items()}
    worker = ShareConsumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": group,
            "share.acknowledgement.mode": "explicit",
            **given,
        }
    )
    worker.subscribe(list(topics))
    return worker


def received(worker: ShareConsumer, timeout_s: float = 60.0) -> Iterator[Message]:
    """Messages one by one, until none has come for so long. Each is to be acknowledged before the next."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        for message in worker.poll(0.5):
            if message.error() is None:
                yield message
                end_s = time.monotonic() + timeout_s
        worker.commit_sync(60)
