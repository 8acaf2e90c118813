"""Where kstream differs from Apache Kafka 4.4.0 on purpose, and why.

Each entry: scenario, exchange, field, reason; `*` stands for anything. An entry that no longer holds fails
the suite.
"""

from __future__ import annotations

from compat.oracle.compare import Allowed

_UNADVERTISED = "what is not implemented yet is not advertised"
_INDIVIDUAL = (
    "Kafka refuses every partition of a request if the bytes of one are no batch at all; here the others "
    "are stored"
)
_UNREADABLE = (
    "Kafka stores records whose offset deltas are not 0, 1, 2 ..., which no consumer then reads; here they "
    "get 87"
)
_ESCAPED = (
    "an exception escapes in Kafka, which answers UNKNOWN_SERVER_ERROR; here the producer learns what is "
    "wrong with its batch"
)
_NO_IDS = (
    "Kafka's handler fails when it compares two topics that the id of none stands for; here each gets "
    "UNKNOWN_TOPIC_ID"
)
_OWN_CONFIGS = "settings that only kstream has"
_NO_CONTROLLER = "kstream needs no controller of its own, and no setting that names one"
_CREATED_AT_ONCE = (
    "Kafka creates the topic behind the answer and lets the client ask again; here it is in the first answer"
)
_SILENT = "Kafka's handler fails and never answers, so that the client waits in vain; here it gets an error"
_NO_STATE = (
    "an exception escapes in Kafka, which answers UNKNOWN_SERVER_ERROR to all of the group; here what cannot "
    "be has no state, like what is not there"
)

_FIRST_OFFSET = (
    "Kafka writes down where a group begins in a partition with the first acknowledgement, so that what was "
    "delivered before and not acknowledged when the broker restarts is lost to a group that begins at the "
    "end; here it is written before the first delivery"
)

ALLOWED: list[Allowed] = [
    Allowed("share_offsets_described", "*| no partitions", "groups[0]*", _NO_STATE),
    Allowed("share_offsets_described", "*| negative", "groups[0]*", _NO_STATE),
    Allowed("share_offsets_described", "*| no name, topic named", "groups[0]*", _NO_STATE),
    Allowed(
        "share_offsets_altered",
        "*| negative",
        "*",
        "an exception escapes in Kafka, which answers UNKNOWN_SERVER_ERROR and moves nothing; here the "
        "partition that cannot be gets UNKNOWN_TOPIC_OR_PARTITION",
    ),
    Allowed("share_fetch_first_offset", "ReadShareGroupStateSummary*", "results*", _FIRST_OFFSET),
    Allowed(
        "consumer_group_offsets",
        "*| None fetches in*",
        "groups[0].error_code",
        "an exception escapes in Kafka, which answers UNKNOWN_SERVER_ERROR to an epoch without a member id; "
        "here it is UNKNOWN_MEMBER_ID",
    ),
    Allowed("api_versions", "*", "api_keys*", _UNADVERTISED),
    Allowed("metadata_auto_create", "*| first", "topics[0]*", _CREATED_AT_ONCE),
    Allowed("produce_null_records", "*| null", "outcome", _SILENT),
    Allowed("alter_configs_resources", "*| twice", "outcome", _SILENT),
    Allowed("produce_one_wrong_of_two", "*| garbage*", "*", _INDIVIDUAL),
    Allowed("produce_bad_records", "*offset delta*", "*", _UNREADABLE),
    Allowed("produce_bad_records", "*| varint of six bytes", "*error_code", _ESCAPED),
    Allowed("produce_bad_compressed_records", "*", "*error_code", _ESCAPED),
    Allowed("produce_bad_headers", "*| codec 5", "*", _ESCAPED + " (76, an unknown codec)"),
    Allowed("produce_bad_headers", "*| codec 7", "*", _ESCAPED + " (76, an unknown codec)"),
    Allowed("fetch_without_ids", "*| partitions 0 and 1", "*", _NO_IDS),
    Allowed("fetch_without_ids", "*| beside an unknown one", "*", _NO_IDS),
    Allowed("fetch_without_ids", "*| twice", "*", _NO_IDS),
    Allowed(
        "fetch_zstd_topic",
        "*",
        "*records[0].size_bytes",
        "Kafka's zstd does not note the content's size in the frame, so a batch compressed here is shorter",
    ),
    Allowed(
        "connection_header_tags",
        "*| tags: sixty-five",
        "outcome",
        "the header's tagged fields are bounded: 64 of them, where clients send none",
    ),
    Allowed(
        "bodies_with_lying_counts",
        "*not UTF-8",
        "outcome",
        "text that is not UTF-8 closes the connection; Kafka replaces what it cannot read and goes on",
    ),
    Allowed("describe_quorum", "*", "nodes[0].listeners[0].name", _NO_CONTROLLER),
    Allowed(
        "update_features", "*| kraft.version up", "*", "the quorum is one node, whose voters never change"
    ),
    Allowed("describe_configs_*", "*", "*configs[kstream.*", _OWN_CONFIGS),
    Allowed("configs_of_groups", "*", "*configs[kstream.*", _OWN_CONFIGS),
    Allowed("describe_configs_*", "*", "*configs[advertised.listeners]*", _NO_CONTROLLER),
    Allowed("describe_configs_*", "*", "*configs[controller.*", _NO_CONTROLLER),
    Allowed("describe_configs_*", "*", "*configs[process.roles]*", _NO_CONTROLLER),
    Allowed("describe_configs_*", "*", "*configs[node.id].synonyms[1]*", "kstream has a default node id: 1"),
    Allowed(
        "describe_configs_*",
        "*",
        "*configs[group.initial.rebalance.delay.ms].synonyms[1].value",
        "kstream's default is 0, since three seconds are what people switch off first",
    ),
]
