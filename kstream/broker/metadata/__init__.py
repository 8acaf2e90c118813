"""Cluster metadata: a log of KRaft records, the image they replay into, the operations that write them."""
