"""Declarations of what is stored: coordinator records, cluster metadata, control records, snapshots."""
