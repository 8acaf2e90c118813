"""Which APIs there are: their keys, names, versions, and the message classes, imported at first use.

The table is written out so that a header can be read, and ApiVersions answered, without importing any
message; a test holds it equal to the declarations.
"""

from __future__ import annotations

from enum import IntEnum
from importlib import import_module
from typing import NamedTuple, cast

from kstream.wire.schema import Message


class ApiKey(IntEnum):
    """The APIs that clients use. Gaps are keys between brokers and controllers, or retired ones."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    SASL_HANDSHAKE = 17
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    WRITE_TXN_MARKERS = 27
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_ACLS = 29
    CREATE_ACLS = 30
    DELETE_ACLS = 31
    DESCRIBE_CONFIGS = 32
    ALTER_CONFIGS = 33
    ALTER_REPLICA_LOG_DIRS = 34
    DESCRIBE_LOG_DIRS = 35
    SASL_AUTHENTICATE = 36
    CREATE_PARTITIONS = 37
    CREATE_DELEGATION_TOKEN = 38
    RENEW_DELEGATION_TOKEN = 39
    EXPIRE_DELEGATION_TOKEN = 40
    DESCRIBE_DELEGATION_TOKEN = 41
    DELETE_GROUPS = 42
    ELECT_LEADERS = 43
    INCREMENTAL_ALTER_CONFIGS = 44
    ALTER_PARTITION_REASSIGNMENTS = 45
    LIST_PARTITION_REASSIGNMENTS = 46
    OFFSET_DELETE = 47
    DESCRIBE_CLIENT_QUOTAS = 48
    ALTER_CLIENT_QUOTAS = 49
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50
    ALTER_USER_SCRAM_CREDENTIALS = 51
    DESCRIBE_QUORUM = 55
    UPDATE_FEATURES = 57
    DESCRIBE_CLUSTER = 60
    DESCRIBE_PRODUCERS = 61
    UNREGISTER_BROKER = 64
    DESCRIBE_TRANSACTIONS = 65
    LIST_TRANSACTIONS = 66
    CONSUMER_GROUP_HEARTBEAT = 68
    CONSUMER_GROUP_DESCRIBE = 69
    GET_TELEMETRY_SUBSCRIPTIONS = 71
    PUSH_TELEMETRY = 72
    LIST_CONFIG_RESOURCES = 74
    DESCRIBE_TOPIC_PARTITIONS = 75
    SHARE_GROUP_HEARTBEAT = 76
    SHARE_GROUP_DESCRIBE = 77
    SHARE_FETCH = 78
    SHARE_ACKNOWLEDGE = 79
    ADD_RAFT_VOTER = 80
    REMOVE_RAFT_VOTER = 81
    INITIALIZE_SHARE_GROUP_STATE = 83
    READ_SHARE_GROUP_STATE = 84
    WRITE_SHARE_GROUP_STATE = 85
    DELETE_SHARE_GROUP_STATE = 86
    READ_SHARE_GROUP_STATE_SUMMARY = 87
    STREAMS_GROUP_HEARTBEAT = 88
    STREAMS_GROUP_DESCRIBE = 89
    DESCRIBE_SHARE_GROUP_OFFSETS = 90
    ALTER_SHARE_GROUP_OFFSETS = 91
    DELETE_SHARE_GROUP_OFFSETS = 92
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93
    UNREGISTER_CONTROLLER = 94


class Api(NamedTuple):
    """One API. From version `flexible_from` on, if any, lengths are compact and fields may be tagged."""

    key: ApiKey
    name: str
    versions_min: int
    versions_max: int
    flexible_from: int | None

    @property
    def module(self) -> str:
        """The name of the API's file in `wire/messages`, `api` and `tests/api`."""
        return self.key.name.lower()

    @property
    def request(self) -> type[Message]:
        """The request's class."""
        return _message(self.module, f"{self.name}Request")

    @property
    def response(self) -> type[Message]:
        """The response's class."""
        return _message(self.module, f"{self.name}Response")


def _message(module: str, name: str) -> type[Message]:
    return cast("type[Message]", getattr(import_module(f"kstream.wire.messages.{module}"), name))


# Name, first version, last version, first flexible version. Produce 0 to 2 are advertised by Kafka, for the
# sake of old librdkafka (KAFKA-18659), but have no schema; neither has this table.
_TABLE: tuple[tuple[ApiKey, str, int, int, int | None], ...] = (
    (ApiKey.PRODUCE, "Produce", 3, 13, 9),
    (ApiKey.FETCH, "Fetch", 4, 18, 12),
    (ApiKey.LIST_OFFSETS, "ListOffsets", 1, 11, 6),
    (ApiKey.METADATA, "Metadata", 0, 13, 9),
    (ApiKey.OFFSET_COMMIT, "OffsetCommit", 2, 10, 8),
    (ApiKey.OFFSET_FETCH, "OffsetFetch", 1, 10, 6),
    (ApiKey.FIND_COORDINATOR, "FindCoordinator", 0, 6, 3),
    (ApiKey.JOIN_GROUP, "JoinGroup", 0, 9, 6),
    (ApiKey.HEARTBEAT, "Heartbeat", 0, 4, 4),
    (ApiKey.LEAVE_GROUP, "LeaveGroup", 0, 5, 4),
    (ApiKey.SYNC_GROUP, "SyncGroup", 0, 5, 4),
    (ApiKey.DESCRIBE_GROUPS, "DescribeGroups", 0, 6, 5),
    (ApiKey.LIST_GROUPS, "ListGroups", 0, 5, 3),
    (ApiKey.SASL_HANDSHAKE, "SaslHandshake", 0, 1, None),
    (ApiKey.API_VERSIONS, "ApiVersions", 0, 5, 3),
    (ApiKey.CREATE_TOPICS, "CreateTopics", 2, 7, 5),
    (ApiKey.DELETE_TOPICS, "DeleteTopics", 1, 6, 4),
    (ApiKey.DELETE_RECORDS, "DeleteRecords", 0, 2, 2),
    (ApiKey.INIT_PRODUCER_ID, "InitProducerId", 0, 6, 2),
    (ApiKey.OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", 2, 4, 4),
    (ApiKey.ADD_PARTITIONS_TO_TXN, "AddPartitionsToTxn", 0, 5, 3),
    (ApiKey.ADD_OFFSETS_TO_TXN, "AddOffsetsToTxn", 0, 4, 3),
    (ApiKey.END_TXN, "EndTxn", 0, 5, 3),
    (ApiKey.WRITE_TXN_MARKERS, "WriteTxnMarkers", 1, 2, 1),
    (ApiKey.TXN_OFFSET_COMMIT, "TxnOffsetCommit", 0, 6, 3),
    (ApiKey.DESCRIBE_ACLS, "DescribeAcls", 1, 3, 2),
    (ApiKey.CREATE_ACLS, "CreateAcls", 1, 3, 2),
    (ApiKey.DELETE_ACLS, "DeleteAcls", 1, 3, 2),
    (ApiKey.DESCRIBE_CONFIGS, "DescribeConfigs", 1, 4, 4),
    (ApiKey.ALTER_CONFIGS, "AlterConfigs", 0, 2, 2),
    (ApiKey.ALTER_REPLICA_LOG_DIRS, "AlterReplicaLogDirs", 1, 2, 2),
    (ApiKey.DESCRIBE_LOG_DIRS, "DescribeLogDirs", 1, 5, 2),
    (ApiKey.SASL_AUTHENTICATE, "SaslAuthenticate", 0, 2, 2),
    (ApiKey.CREATE_PARTITIONS, "CreatePartitions", 0, 3, 2),
    (ApiKey.CREATE_DELEGATION_TOKEN, "CreateDelegationToken", 1, 3, 2),
    (ApiKey.RENEW_DELEGATION_TOKEN, "RenewDelegationToken", 1, 2, 2),
    (ApiKey.EXPIRE_DELEGATION_TOKEN, "ExpireDelegationToken", 1, 2, 2),
    (ApiKey.DESCRIBE_DELEGATION_TOKEN, "DescribeDelegationToken", 1, 3, 2),
    (ApiKey.DELETE_GROUPS, "DeleteGroups", 0, 3, 2),
    (ApiKey.ELECT_LEADERS, "ElectLeaders", 0, 2, 2),
    (ApiKey.INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs", 0, 1, 1),
    (ApiKey.ALTER_PARTITION_REASSIGNMENTS, "AlterPartitionReassignments", 0, 1, 0),
    (ApiKey.LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 0, 0, 0),
    (ApiKey.OFFSET_DELETE, "OffsetDelete", 0, 0, None),
    (ApiKey.DESCRIBE_CLIENT_QUOTAS, "DescribeClientQuotas", 0, 1, 1),
    (ApiKey.ALTER_CLIENT_QUOTAS, "AlterClientQuotas", 0, 1, 1),
    (ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, "DescribeUserScramCredentials", 0, 0, 0),
    (ApiKey.ALTER_USER_SCRAM_CREDENTIALS, "AlterUserScramCredentials", 0, 0, 0),
    (ApiKey.DESCRIBE_QUORUM, "DescribeQuorum", 0, 2, 0),
    (ApiKey.UPDATE_FEATURES, "UpdateFeatures", 0, 2, 0),
    (ApiKey.DESCRIBE_CLUSTER, "DescribeCluster", 0, 2, 0),
    (ApiKey.DESCRIBE_PRODUCERS, "DescribeProducers", 0, 0, 0),
    (ApiKey.UNREGISTER_BROKER, "UnregisterBroker", 0, 0, 0),
    (ApiKey.DESCRIBE_TRANSACTIONS, "DescribeTransactions", 0, 0, 0),
    (ApiKey.LIST_TRANSACTIONS, "ListTransactions", 0, 2, 0),
    (ApiKey.CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat", 0, 1, 0),
    (ApiKey.CONSUMER_GROUP_DESCRIBE, "ConsumerGroupDescribe", 0, 1, 0),
    (ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, "GetTelemetrySubscriptions", 0, 0, 0),
    (ApiKey.PUSH_TELEMETRY, "PushTelemetry", 0, 0, 0),
    (ApiKey.LIST_CONFIG_RESOURCES, "ListConfigResources", 0, 1, 0),
    (ApiKey.DESCRIBE_TOPIC_PARTITIONS, "DescribeTopicPartitions", 0, 0, 0),
    (ApiKey.SHARE_GROUP_HEARTBEAT, "ShareGroupHeartbeat", 1, 1, 0),
    (ApiKey.SHARE_GROUP_DESCRIBE, "ShareGroupDescribe", 1, 1, 0),
    (ApiKey.SHARE_FETCH, "ShareFetch", 1, 2, 0),
    (ApiKey.SHARE_ACKNOWLEDGE, "ShareAcknowledge", 1, 2, 0),
    (ApiKey.ADD_RAFT_VOTER, "AddRaftVoter", 0, 1, 0),
    (ApiKey.REMOVE_RAFT_VOTER, "RemoveRaftVoter", 0, 0, 0),
    (ApiKey.INITIALIZE_SHARE_GROUP_STATE, "InitializeShareGroupState", 0, 0, 0),
    (ApiKey.READ_SHARE_GROUP_STATE, "ReadShareGroupState", 0, 0, 0),
    (ApiKey.WRITE_SHARE_GROUP_STATE, "WriteShareGroupState", 0, 1, 0),
    (ApiKey.DELETE_SHARE_GROUP_STATE, "DeleteShareGroupState", 0, 0, 0),
    (ApiKey.READ_SHARE_GROUP_STATE_SUMMARY, "ReadShareGroupStateSummary", 0, 1, 0),
    (ApiKey.STREAMS_GROUP_HEARTBEAT, "StreamsGroupHeartbeat", 0, 1, 0),
    (ApiKey.STREAMS_GROUP_DESCRIBE, "StreamsGroupDescribe", 0, 1, 0),
    (ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS, "DescribeShareGroupOffsets", 0, 1, 0),
    (ApiKey.ALTER_SHARE_GROUP_OFFSETS, "AlterShareGroupOffsets", 0, 0, 0),
    (ApiKey.DELETE_SHARE_GROUP_OFFSETS, "DeleteShareGroupOffsets", 0, 0, 0),
    (ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE, "StreamsGroupTopologyDescriptionUpdate", 0, 0, 0),
    (ApiKey.UNREGISTER_CONTROLLER, "UnregisterController", 0, 0, 0),
)

APIS: dict[int, Api] = {row[0]: Api(*row) for row in _TABLE}
FLEXIBLE_FROM: dict[int, int | None] = {row[0]: row[4] for row in _TABLE}


def api(key: int) -> Api:
    """The API with a key. KeyError if clients have none with that key."""
    return APIS[key]


def flexible_from(key: int) -> int | None:
    """The first flexible version of an API; None if it has none or is unknown."""
    return FLEXIBLE_FROM.get(key)
