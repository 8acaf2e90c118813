"""The transaction coordinator: what it decides, without I/O or a clock.

An operation takes the store of one partition of `__transaction_state`, a request and the time, and returns an
`Outcome`. Decided transactions come out as `WriteMarkers` effects, which whoever runs this carries out.
"""
