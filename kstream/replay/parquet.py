"""Records as a Parquet file, for tables and notebooks; nothing lost on the way back.

Columns: partition int32, offset int64, timestamp (milliseconds, UTC; null for none), is_append_time bool, key
and value binary, headers a list of (name, value). Needs the extra `parquet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.files import Window
from kstream.replay.moments import Range

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise ReplayError("Parquet files need one more library: pip install 'kstream[parquet]'") from error

_ROW_GROUP = 50_000
_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("ms", "UTC")),
        ("is_append_time", pa.bool_()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)


class ParquetSource:
    """A Parquet file that `ParquetTarget` wrote, or one with the same columns. Raises `ReplayError`."""

    def __init__(self, path: Path | None, span: Range) -> None:
        if path is None:
            raise ReplayError("a Parquet file is not read from a pipe")
        self._window = Window(span)
        self._path = path
        try:
            self._file = parquet.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise ReplayError(f"cannot read {path}: {error}") from None
        if missing := {"value", "partition", "offset"} - set(self._file.schema_arrow.names):
            raise ReplayError(f"{path} has no column {', '.join(sorted(missing))}")
        self.total: int | None = self._file.metadata.num_rows
        self.done = 0

    def partition_count(self) -> int | None:
        highest = -1
        for batch in self._file.iter_batches(columns=["partition"]):
            highest = max([highest, *(each for each in batch.column(0).to_pylist() if each is not None)])
        return highest + 1 if highest >= 0 else None

    def events(self, resume: Mapping[int, int]) -> Iterator[Event]:
        for batch in self._file.iter_batches(batch_size=_ROW_GROUP // 10):
            table = batch.to_pydict()
            if "timestamp" in table:
                times = batch.column(batch.schema.get_field_index("timestamp"))
                table["timestamp"] = times.cast(pa.int64()).to_pylist()
            for row in range(batch.num_rows):
                self.done += 1
                event = _event(table, row)
                if event.partition is not None and (event.offset or 0) < resume.get(event.partition, 0):
                    continue
                if self._window.has(event):
                    yield event

    def close(self) -> None:
        self._file.close()


class ParquetTarget:
    """A Parquet file, written over if it is there. It can be read once `close` has returned."""

    def __init__(self, path: Path | None) -> None:
        if path is None:
            raise ReplayError("a Parquet file is not written to a pipe")
        self._path = path
        self._rows: list[Event] = []
        try:
            self._writer = parquet.ParquetWriter(path, _SCHEMA, compression="zstd")
        except (OSError, pa.ArrowException) as error:
            raise ReplayError(f"cannot write {path}: {error}") from None

    def prepare(self, partition_count: Callable[[], int | None]) -> None:
        """Nothing to do: a row says its partition."""

    def write(self, event: Event) -> None:
        self._rows.append(event)
        if len(self._rows) >= _ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        if not self._rows:
            return
        columns = {name: [_cell(event, name) for event in self._rows] for name in _SCHEMA.names}
        try:
            self._writer.write_table(pa.table(columns, schema=_SCHEMA))
        except (OSError, pa.ArrowException) as error:
            raise ReplayError(f"cannot write {self._path}: {error}") from None
        self._rows.clear()

    def size_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._writer.close()


def _cell(event: Event, name: str) -> Any:
    if name == "timestamp":
        return None if event.timestamp_ms == NO_TIMESTAMP else event.timestamp_ms
    if name == "headers":
        return [{"name": key, "value": value} for key, value in event.headers]
    return getattr(event, name)


def _event(table: dict[str, list[Any]], row: int) -> Event:
    def cell(name: str) -> Any:
        return table[name][row] if name in table else None

    timestamp_ms = cell("timestamp")
    return Event(
        cell("partition"),
        cell("offset"),
        NO_TIMESTAMP if timestamp_ms is None else timestamp_ms,
        cell("key"),
        cell("value"),
        tuple((each["name"], each["value"]) for each in cell("headers") or ()),
        bool(cell("is_append_time")),
    )
