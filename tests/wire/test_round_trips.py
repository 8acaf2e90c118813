"""What is encoded decodes to the same, by the compiled and the reference codec, for all that is declared."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.wire.codec import decode, decoder, encode, encode_parts, source
from kstream.wire.reference import ReferenceDecoder, ReferenceEncoder
from kstream.wire.schema import Message
from tests.wire.catalogue import MESSAGES, versions_of
from tests.wire.filling import filled, structs

each_message = pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)


@each_message
@settings(max_examples=6, derandomize=True, database=None)
@given(data=st.data())
def test_round_trip(cls: type[Message], data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(versions_of(cls)))
    message = data.draw(structs(cls, version))
    raw = encode(message, version)
    assert decode(cls, raw, version) == message
    assert decode(cls, memoryview(bytearray(raw)), version) == message


@each_message
def test_every_version_against_the_reference(cls: type[Message]) -> None:
    random = Random(cls.__name__)
    for version in versions_of(cls):
        message = filled(cls, version, random)
        raw = encode(message, version)
        assert raw == ReferenceEncoder(message, version).encode()
        assert encode_parts(message, version) == [raw]
        reference = ReferenceDecoder(cls, version, raw)
        assert reference.decode() == message
        assert reference.position == len(raw)
        # In the middle of a buffer, as behind a header.
        decoded, position = decoder(cls, version)(b"head" + raw + b"tail", 4)
        assert decoded == message
        assert position == 4 + len(raw)


@each_message
def test_defaults(cls: type[Message]) -> None:
    """A message nobody filled in can be said in every version, and is what decoding its bytes yields."""
    for version in versions_of(cls):
        assert decode(cls, encode(cls(), version), version) == cls()


@each_message
def test_unknown_tagged_fields_are_skipped(cls: type[Message]) -> None:
    for version in versions_of(cls):
        if version not in cls.FLEXIBLE:
            continue
        raw = encode(cls(), version)
        assert raw[-1:] == b"\0"  # the message's own tagged section comes last
        unknown = b"\x02" + b"\xf0\x01\x03abc" + b"\xf1\x01\x00"
        assert decode(cls, raw[:-1] + unknown, version) == cls()


def test_source_can_be_read() -> None:
    for cls in MESSAGES[:4]:
        text = source(cls, cls.VERSIONS.last)
        assert "def encode(m, out):" in text
        assert "def decode(b, p=0):" in text
