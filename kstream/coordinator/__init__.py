"""What every coordinator is made of: outcomes, records, timers.

A coordinator is a pure state machine. An operation takes a request and the time and returns an `Outcome`;
whoever runs it (`kstream.broker.coordinator_runtime`, or a test) replays the records, appends them to the
coordinator's topic, sets the timers, and only then sends the replies.
"""
