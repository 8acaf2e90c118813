"""Partitions whose metadata changes while they are being opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from kstream.broker.broker import Broker
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.store import Change
from kstream.log.directory import LogDirectory
from kstream.records.schemas.metadata import ConfigRecord
from tests.api.data_plane import opened, run


def test_a_setting_changed_while_a_partition_is_opened_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_partition = LogDirectory.open_partition
    record = ConfigRecord(
        resource_type=ResourceType.TOPIC, resource_name="t", name="retention.ms", value="12345"
    )

    async def test() -> None:
        async with opened(tmp_path, "t") as broker:
            token = trio.lowlevel.current_trio_token()

            def open_before_a_change(*arguments: Any, **options: Any) -> Any:
                partition_log = open_partition(*arguments, **options)
                trio.from_thread.run(configure, broker, trio_token=token)
                return partition_log

            monkeypatch.setattr(LogDirectory, "open_partition", open_before_a_change)
            partition = await broker.partitions.get("t", 0)
            assert partition.log.config.retention_ms == 12345

    async def configure(broker: Broker) -> None:
        await broker.metadata.update(lambda _: Change(None, [record]))

    run(test)
