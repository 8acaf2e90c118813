"""Bytes to objects and back: Kafka's protocol as data, and the compiler that makes it fast.

What to read for which task:

- a message's fields and versions: `messages/<api>.py`; which APIs there are: `apis`
- how a declaration is written: `fields` (types and options), `schema` (structs and messages)
- encoding and decoding: `codec`; headers and whole frames: `headers`; a stream is cut in `server/input`
- what is generated: `print(codec.source(ProduceRequest, 9))`; how: `generate_decode`, `generate_encode`, both
  on `plan`, calling into `runtime` and `primitives`
- errors with a field path, and the plain second implementation that tests compare with: `reference`

A new field or version is a change to one declaration; nothing else knows about layouts.
"""
