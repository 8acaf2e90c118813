"""Consumer groups of KIP-848: the coordinator assigns, and members reconcile at their own pace.

Everything that must last is in a `ConsumerGroup`, which only replay changes, and in its members, which are
values. `states.py` has the states of a group and of a member in one table each. `heartbeat.py` is the one
request of the protocol; `classic_members.py` is for members that still speak the classic one (the protocol's
online migration), `upgrade.py` and `downgrade.py` turn a group of one kind into the other.
"""
