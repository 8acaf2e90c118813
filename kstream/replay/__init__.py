"""Keeping events and replaying them: from a topic, a data directory or a file, to another, at any speed.

`places` are what people write, `open` makes sources and targets of them, `run.replay` carries records over.
What an event is stands in `event`, and each kind of place has a module of its own.
"""
