"""Cluster metadata: a log of KRaft records, the image they replay into, and the operations that write them."""
