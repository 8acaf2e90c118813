"""Consumer groups as pure state machines: no I/O, no clock, no log.

One `GroupShard` holds what one partition of `__consumer_offsets` says: groups and committed offsets.
`states.py` has the states of a classic group and every transition in one table; `docs/groups.md` shows them.
"""
