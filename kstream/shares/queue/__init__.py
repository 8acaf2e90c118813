"""What a share group can be beyond Kafka's, where its configuration asks for it: delays, backoff, expiry,
priorities, order by key, deduplication, filters. Clients see none of it: the broker decides which of the
available records a share fetch returns.

A queue knows the records of a share partition from the window's start as far as it has looked ahead, each
by its offset alone and by whatever is special about it. Everything here is either remembered by the
window, or follows from the log, the times in that of the states, and the configuration, so that nothing else
is stored: after a restart a queue looks at the records again.
"""
