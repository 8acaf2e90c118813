"""One partition on disk, in Kafka's own files; synchronous, and without a clock.

`directory` has the server's partitions, `partition` is one log, `segment` one of its files with `indexes`.
`recovery` is what opening does; `retention` moves the log's start, `truncation` its end.
"""
