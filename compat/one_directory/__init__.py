"""One data directory, either binary: kstream and Apache Kafka open it in turn and tell the same.

- `state`: all that a server tells of what its directory holds.
- `writing`: what a turn adds to it.
- `turns`: servers one after the other, and what each must find.
"""
