"""`kstream dump`: what stands in the files of a partition, for a person who wonders."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from kstream.cli.output import AsJson, print_json, say
from kstream.coordinator.codec import RecordDecoder
from kstream.errors import KstreamError
from kstream.log.checkpoints import read_lines
from kstream.log.indexes import OffsetIndex, TimeIndex
from kstream.log.partition_metadata import FILE_NAME, read_topic_id
from kstream.log.snapshots import SUFFIX, read_snapshot
from kstream.log.txn_index import TransactionIndex
from kstream.records.batch import HEADER_SIZE, BatchHeader, check_crc, read_header
from kstream.records.control import control_type
from kstream.records.errors import CorruptBatch
from kstream.records.metadata import decode_metadata
from kstream.records.record import Record, iter_records
from kstream.records.schemas.group import KEYS, VALUES
from kstream.records.schemas.transaction import TransactionLogKey, TransactionLogValue
from kstream.replay.errors import ReplayError
from kstream.wire.uuids import format_uuid

app = App(name="dump", help="Explain a segment, an index, a snapshot or a whole partition on disk.")

Row = dict[str, Any]
_DECODERS = {
    "__consumer_offsets": RecordDecoder(KEYS, VALUES),
    "__transaction_state": RecordDecoder({0: TransactionLogKey}, {0: TransactionLogValue}),
}


@app.default
def dump(
    path: Path,
    /,
    *,
    records: Annotated[bool, Parameter(help="Each record, not only each batch.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain what a file or a partition's folder holds. Nothing in it is changed.

    Parameters
    ----------
    path
        A .log, .index, .timeindex, .txnindex, .snapshot or .checkpoint file, a checkpoint, or a folder with
        them.
    """
    if not path.exists():
        raise ReplayError(f"{path} is not there")
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    is_damaged = False
    for file in files:
        try:
            rows = list(_rows(file, with_records=records)) if as_json else _rows(file, with_records=records)
            if as_json:
                print_json({"file": str(file), "entries": rows})
                continue
            print(f"{file}, {file.stat().st_size} bytes: {_what(file)}")
            for row in rows:
                print("  " + " ".join(f"{name}={value}" for name, value in row.items()))
        except BrokenPipeError:
            raise
        except (KstreamError, OSError, UnicodeDecodeError) as error:
            is_damaged = True
            say(f"kstream: {file}: {error}")
    if is_damaged:
        raise ReplayError("not everything could be read; it is said above what")


_KINDS = {
    ".log": "record batches",
    ".checkpoint": "a snapshot of cluster metadata, as record batches",
    ".index": "offset index: where in the segment to begin a search for an offset",
    ".timeindex": "time index: the largest timestamp up to an offset",
    ".txnindex": "aborted transactions whose marker is in this segment",
    SUFFIX: "producers' last batches up to an offset",
    ".deleted": "waiting to be removed",
    ".cleaned": "compaction in progress; thrown away at the next start",
    ".swap": "compaction that is put in place at the next start",
}


def _what(file: Path) -> str:
    if file.name == FILE_NAME:
        return "the topic's id"
    return _KINDS.get(file.suffix, "text")


def _rows(file: Path, *, with_records: bool) -> Iterator[Row]:
    suffix = file.suffix
    if suffix in (".log", ".checkpoint") and file.name[:20].isdigit():
        yield from _batches(file, with_records=with_records)
    elif suffix == ".index":
        for relative, position in _entries(file, OffsetIndex):
            yield {"offset": int(file.stem) + relative, "position": position}
    elif suffix == ".timeindex":
        for timestamp_ms, relative in _entries(file, TimeIndex):
            yield {"timestamp_ms": timestamp_ms, "offset": int(file.stem) + relative}
    elif suffix == ".txnindex":
        for aborted in TransactionIndex(file).entries:
            yield dict(aborted._asdict())
    elif suffix == SUFFIX:
        for entry in read_snapshot(file):
            last = entry.batches[-1]._asdict() if entry.batches else {}
            yield {
                "producer_id": entry.producer_id,
                "epoch": entry.epoch,
                "coordinator_epoch": entry.coordinator_epoch,
                "open_transaction_from": entry.txn_first_offset,
                **last,
            }
    elif file.name == FILE_NAME:
        topic_id = read_topic_id(file.parent)
        yield {"topic_id": format_uuid(topic_id) if topic_id is not None else None}
    elif suffix not in (".deleted", ".cleaned", ".swap", ".lock") and file.name != ".lock":
        for number, line in enumerate(_text_lines(file), 1):
            yield {"line": number, "text": line}


def _text_lines(file: Path) -> list[str]:
    return read_lines(file) if file.name.endswith("checkpoint") else file.read_text().splitlines()


def _entries(file: Path, kind: type[OffsetIndex | TimeIndex]) -> Iterator[tuple[int, int]]:
    content = file.read_bytes()
    excess = len(content) % kind.ENTRY.size
    if excess:
        say(f"kstream: {file}: {excess} bytes behind the last entry")
    previous = (-1, -1)
    for number, entry in enumerate(kind.ENTRY.iter_unpack(content[: len(content) - excess])):
        if number and entry == (0, 0):  # the rest was reserved and never written
            return
        if entry[0] < previous[0]:
            say(f"kstream: {file}: entry {number} does not ascend; the server builds the index anew")
        previous = entry
        yield entry


def _batches(file: Path, *, with_records: bool) -> Iterator[Row]:
    if not file.stat().st_size:
        return
    topic = file.absolute().parent.name.rpartition("-")[0]
    with open(file, "rb") as opened:
        buffer = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    position = 0
    while position < len(buffer):
        if not any(buffer[position : position + HEADER_SIZE]):
            yield {"position": position, "reserved_bytes": len(buffer) - position}
            return
        try:
            header = read_header(buffer, position)
            if position + header.size_bytes > len(buffer):
                raise CorruptBatch(
                    f"{position + header.size_bytes - len(buffer)} bytes of a batch are missing"
                )
            check_crc(buffer, position, header.size_bytes)
        except CorruptBatch as error:
            raise CorruptBatch(f"byte {position}: {error}") from None
        yield _batch_row(header, position)
        if with_records:
            for record in iter_records(buffer, position, header=header):
                yield _record_row(topic, header, record)
        position += header.size_bytes


def _batch_row(header: BatchHeader, position: int) -> Row:
    flags = {
        "transactional": header.is_transactional,
        "control": header.is_control,
        "append_time": header.is_log_append_time,
        "delete_horizon": header.has_delete_horizon,
    }
    row: Row = {
        "position": position,
        "offsets": f"{header.base_offset}..{header.last_offset}",
        "records": header.record_count,
        "bytes": header.size_bytes,
        "codec": header.codec.name.lower(),
        "max_timestamp_ms": header.max_timestamp_ms,
        "leader_epoch": header.partition_leader_epoch,
    }
    if header.has_producer_id:
        row["producer"] = f"{header.producer_id}/{header.producer_epoch}"
        row["sequence"] = header.base_sequence
    if flagged := [name for name, is_set in flags.items() if is_set]:
        row["is"] = ",".join(flagged)
    return row


def _record_row(topic: str, header: BatchHeader, record: Record) -> Row:
    row: Row = {"offset": record.offset, "timestamp_ms": record.timestamp_ms}
    if header.is_control:
        kind = control_type(record.key)
        return {**row, "marker": "unknown" if kind is None else kind.name.lower()}
    return {**row, **_content(topic, record)}


def _content(topic: str, record: Record) -> Mapping[str, Any]:
    if topic == "__cluster_metadata":
        return {"metadata": decode_metadata(record.value).message}
    decoder = _DECODERS.get(topic)
    if decoder is not None and (decoded := decoder.decode(record.key, record.value)) is not None:
        return {"key": decoded[0], "value": decoded[1]}
    content: Row = {"key": _shown(record.key), "value": _shown(record.value)}
    if record.headers:
        content["headers"] = [(name, _shown(value)) for name, value in record.headers]
    return content


def _shown(content: bytes | None) -> str:
    if content is None:
        return "null"
    text = content[:200].decode(errors="backslashreplace")
    return repr(text)[1:-1] + (f"... ({len(content)} bytes)" if len(content) > 200 else "")
