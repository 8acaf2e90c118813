"""Share groups (KIP-932), the side of the partitions.

Two state machines without I/O or clock. The share-state coordinator (`state_shard`) keeps in
`__share_group_state` how far each group has come in each partition. The share partition (`window`)
decides, record by record, who has what; what it decides is kept by the coordinator before it counts.
"""
