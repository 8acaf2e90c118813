"""The record that ends the measured start is one that a server must take."""

from __future__ import annotations

from benchmarks.first_record import one_record_batch
from kstream.records.batch import read_header
from kstream.records.record import iter_records
from kstream.records.validation import check_batch


def test_it_is_one_valid_batch() -> None:
    batch = one_record_batch(b"hello")
    header = check_batch(batch, api_version=3, size_bytes_max=1000)
    assert header == read_header(batch)
    assert header.size_bytes == len(batch)
    assert [(record.key, record.value) for record in iter_records(batch)] == [(None, b"hello")]
