"""Share groups (KIP-932): the coordinator assigns, and a partition may have several members.

`states` says what groups and members go through, `group` is what the records say, `heartbeat` how members
join, stay and are assigned; `partitions` is which partitions have a share state. That state itself lives in
`__share_group_state`, and what is to be done to it is an effect.
"""
