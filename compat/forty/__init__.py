"""Consumers of stock clients that join, crash, pause and leave at random under load.

`fleet` drives them, `consumer` (and `compat/programs/java/GroupConsumer.java`) is one of them, `check` says
what their histories must not show. `python -m compat.forty --help` runs it.
"""
