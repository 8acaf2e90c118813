"""The configuration a broker runs with: typed values in force, from four layers.

What is in force for a key is the first of: this broker's dynamic value, the cluster-wide dynamic default
(KIP-226), what was given at start (file, environment, command line), Kafka's default. Dynamic values arrive
from the metadata log through `set_dynamic`; attributes change with them, so code that reads
`config.message_max_bytes` at each use follows along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kstream.config.addresses import advertised_of, listeners_of
from kstream.config.catalogue import broker_keys
from kstream.config.errors import ConfigError
from kstream.config.groups import check_group_bounds
from kstream.config.key import ConfigSource, Value
from kstream.config.listeners import Listener

_OWN = frozenset({"cluster_id", "validate_records"})
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


class BrokerConfig:
    """Configuration in force.

    An attribute holds the value of the key of its name, with dots for underscores; `validate_records` and
    `cluster_id` are `kstream.validate.records` and `kstream.cluster.id`.
    """

    # cluster
    node_id: int
    broker_rack: str | None
    cluster_id: str | None

    # addresses: the broker's own listeners, without controller listeners; no advertised one means that
    # clients are told the address they came in on
    listeners: tuple[Listener, ...]
    advertised_listeners: tuple[Listener, ...]

    # network
    socket_listen_backlog_size: int
    socket_receive_buffer_bytes: int
    socket_send_buffer_bytes: int
    socket_request_max_bytes: int
    connections_max_idle_ms: int
    max_connections: int
    max_connections_per_ip: int
    max_connections_per_ip_overrides: dict[str, int]
    fetch_max_bytes: int
    max_incremental_fetch_session_cache_slots: int
    max_request_partition_size_limit: int

    # topics
    auto_create_topics_enable: bool
    delete_topic_enable: bool
    num_partitions: int
    default_replication_factor: int
    min_insync_replicas: int
    message_max_bytes: int
    max_decompressed_message_bytes: int
    validate_records: str

    # logs: the broker's defaults for topics; *_ms ones already take hours and minutes into account
    log_dirs: tuple[str, ...]
    log_segment_bytes: int
    log_roll_ms: int
    log_roll_jitter_ms: int
    log_retention_ms: int
    log_retention_bytes: int
    log_retention_check_interval_ms: int
    log_index_interval_bytes: int
    log_index_size_max_bytes: int
    log_preallocate: bool
    log_flush_interval_messages: int
    log_flush_interval_ms: int
    log_flush_offset_checkpoint_interval_ms: int
    log_flush_start_offset_checkpoint_interval_ms: int
    log_cleanup_policy: list[str]
    log_message_timestamp_type: str
    log_message_timestamp_before_max_ms: int
    log_message_timestamp_after_max_ms: int
    log_segment_delete_delay_ms: int
    log_cleaner_enable: bool
    log_cleaner_backoff_ms: int
    log_cleaner_dedupe_buffer_size: int
    log_cleaner_io_buffer_load_factor: float
    log_cleaner_io_buffer_size: int
    log_cleaner_io_max_bytes_per_second: float
    log_cleaner_threads: int
    num_recovery_threads_per_data_dir: int
    replica_high_watermark_checkpoint_interval_ms: int

    # producers and coordinators
    producer_id_expiration_ms: int
    transaction_max_timeout_ms: int
    transactional_id_expiration_ms: int
    transaction_state_log_num_partitions: int
    transaction_state_log_segment_bytes: int
    offset_metadata_max_bytes: int
    offsets_retention_minutes: int
    offsets_topic_num_partitions: int
    offsets_topic_segment_bytes: int
    offsets_topic_compression_codec: int
    group_initial_rebalance_delay_ms: int
    group_min_session_timeout_ms: int
    group_max_session_timeout_ms: int
    group_max_size: int
    group_consumer_assignors: list[str]
    group_consumer_max_size: int
    group_consumer_migration_policy: str
    group_consumer_regex_refresh_interval_ms: int
    group_share_initialize_retry_interval_ms: int
    group_share_max_size: int
    kstream_share_initialization_wait_ms: int
    group_coordinator_rebalance_protocols: list[str]

    def __init__(self, static: Mapping[str, str] | None = None) -> None:
        """`static` is what was given at start, by key. Raises ConfigError for values that are not valid."""
        self.static: dict[str, str] = dict(static or {})
        if "node.id" in self.static or "broker.id" in self.static:  # two names of one thing
            node_id = self.static.setdefault("node.id", self.static.get("broker.id", ""))
            self.static["broker.id"] = node_id
        self.dynamic_broker: dict[str, str] = {}
        self.dynamic_default: dict[str, str] = {}
        self.bound_listeners: tuple[Listener, ...] = ()
        """The listeners once they are bound: port 0 has become a real one."""
        self._listeners_of_change: list[Callable[[BrokerConfig], None]] = []
        keys = broker_keys()
        for name, text in self.static.items():
            key = keys.get(name)
            if key is not None:
                key.parse(text)
        self._refresh()

    def get(self, name: str) -> str | None:
        """Value in force as text; None when it is null or the key is unknown and unset."""
        for layer in (self.dynamic_broker, self.dynamic_default, self.static):
            if name in layer:
                return layer[name]
        return self.default(name)

    def value(self, name: str) -> Value:
        """Value in force as a Python value. Raises KeyError for a name outside the catalogue."""
        return broker_keys()[name].parse(self.get(name))

    def default(self, name: str) -> str | None:
        """Value when nothing sets the key, as text."""
        key = broker_keys().get(name)
        return None if key is None else key.default

    def source(self, name: str) -> ConfigSource:
        """The layer that the value in force comes from."""
        if name in self.dynamic_broker:
            return ConfigSource.DYNAMIC_BROKER
        if name in self.dynamic_default:
            return ConfigSource.DYNAMIC_DEFAULT_BROKER
        return ConfigSource.STATIC_BROKER if name in self.static else ConfigSource.DEFAULT

    def set_dynamic(self, *, broker: Mapping[str, str], default: Mapping[str, str]) -> None:
        """Replace the dynamic layers: this broker's own values, and the cluster-wide defaults.

        Values were checked when they were set (`kstream.config.dynamic`); whoever asked for it by `on_change`
        is told.
        """
        if self.dynamic_broker == broker and self.dynamic_default == default:
            return
        self.dynamic_broker = dict(broker)
        self.dynamic_default = dict(default)
        self._refresh()
        for listener in self._listeners_of_change:
            listener(self)

    def on_change(self, listener: Callable[[BrokerConfig], None]) -> None:
        """Call `listener(config)` after each change of dynamic values."""
        self._listeners_of_change.append(listener)

    def _refresh(self) -> None:
        keys = broker_keys()
        for attribute, name in _SIMPLE.items():
            setattr(self, attribute, keys[name].parse(self.get(name)))
        self.listeners = listeners_of(self.get)
        self.advertised_listeners = advertised_of(self.get, self.listeners)
        self.max_connections_per_ip_overrides = _counts_of(self.get("max.connections.per.ip.overrides") or "")
        self.log_dirs = self._log_dirs()
        self.log_roll_ms = self._first_of(("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS))
        self.log_roll_jitter_ms = self._first_of(
            ("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOUR_MS)
        )
        self.log_flush_interval_ms = self._first_of(
            ("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)
        )
        retention_ms = self._first_of(
            ("log.retention.ms", 1), ("log.retention.minutes", _MINUTE_MS), ("log.retention.hours", _HOUR_MS)
        )
        if retention_ms == 0:
            raise ConfigError("log.retention.ms must be -1 (unlimited) or at least 1")
        if self.log_roll_ms < 1:
            raise ConfigError("log.roll.ms must be at least 1")
        if self.log_roll_jitter_ms < 0:
            raise ConfigError("log.roll.jitter.ms must be at least 0")
        self.log_retention_ms = max(retention_ms, -1)
        self._check_cleaner()
        check_group_bounds(self)

    def _check_cleaner(self) -> None:
        if self.log_cleaner_threads < 1:
            raise ConfigError("log.cleaner.threads must be at least 1")
        if self.log_cleaner_dedupe_buffer_size // self.log_cleaner_threads <= 1 << 20:
            raise ConfigError("log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")

    def _first_of(self, *names: tuple[str, int]) -> int:
        for name, factor in names:
            value = self.value(name)
            if isinstance(value, int):
                return value * factor
        raise KeyError(names)

    def _log_dirs(self) -> tuple[str, ...]:
        for name in ("log.dirs", "log.dir"):
            value = self.value(name)
            if isinstance(value, list):
                if len(value) > 1:
                    raise ConfigError(f"{name}: kstream has one data folder; name one, not {len(value)}")
                return tuple(value)
        return ()


_COMPUTED = frozenset(
    {
        "advertised_listeners",
        "listeners",
        "log_dirs",
        "log_flush_interval_ms",
        "log_retention_ms",
        "log_roll_jitter_ms",
        "log_roll_ms",
        "max_connections_per_ip_overrides",
    }
)


def _key_of(attribute: str) -> str:
    name = attribute.replace("_", ".")
    return f"kstream.{name}" if attribute in _OWN else name


_ANNOTATIONS: dict[str, Any] = BrokerConfig.__annotations__
_SIMPLE = {attribute: _key_of(attribute) for attribute in _ANNOTATIONS if attribute not in _COMPUTED}


def _counts_of(text: str) -> dict[str, int]:
    """`max.connections.per.ip.overrides`: address to count."""
    counts: dict[str, int] = {}
    for entry in text.split(","):
        if not entry.strip():
            continue
        address, _, count = entry.strip().rpartition(":")
        if not address or not count.isdigit():
            raise ConfigError(f"max.connections.per.ip.overrides: {entry.strip()} is not HOST:COUNT")
        counts[address.strip("[]")] = int(count)
    return counts
