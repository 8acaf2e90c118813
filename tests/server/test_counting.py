"""What the server counts of requests and connections, however they are answered."""

from __future__ import annotations

from kstream.broker.stats import BrokerStats
from kstream.errors import ErrorCode
from kstream.testing import Broker
from kstream.testing.client import WireClient
from kstream.wire.apis import ApiKey
from kstream.wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.api.data_plane import batch


def _client(broker: Broker) -> WireClient:
    host, _, port = broker.bootstrap_servers.rpartition(":")
    return WireClient(host, int(port))


def _produce(index: int) -> ProduceRequest:
    data = PartitionProduceData(index=index, records=memoryview(batch(b"a", b"b")))
    return ProduceRequest(
        acks=1, timeout_ms=1000, topic_data=[TopicProduceData(name="t", partition_data=[data])]
    )


def _stats(broker: Broker) -> BrokerStats:
    return broker._running.broker.stats


def test_requests_that_repeat_count_like_others() -> None:
    with Broker(["t"]) as broker, _client(broker) as client:
        for _ in range(5):
            client.request(_produce(0), 12)
        client.request(_produce(7), 12)
        stats = _stats(broker).of(ApiKey.PRODUCE, 12)
        broker.wait_for(lambda: stats.count == 6)
        assert stats.failed == 1
        assert stats.errors == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: 1}
        assert 0 < stats.total_s < 10
        assert stats.histogram()[-1] == 6
        assert _stats(broker).elsewhere.failed_appends == 1


def test_traffic_is_counted_where_it_goes_and_outlives_its_topic() -> None:
    with Broker(["t"]) as broker, _client(broker) as client:
        size_bytes = len(batch(b"a", b"b"))
        for _ in range(3):
            client.request(_produce(0), 12)
        wanted = FetchPartition(partition=0, fetch_offset=2, partition_max_bytes=1 << 20)
        fetch = FetchRequest(
            max_wait_ms=0, min_bytes=1, topics=[FetchTopic(topic="t", partitions=[wanted])], session_epoch=-1
        )
        client.request(fetch, 12)
        (partition,) = (each for each in broker._running.broker.partitions.opened() if each.topic_name == "t")
        counted = partition.counted()
        assert (counted.messages_in, counted.appends, counted.reads) == (6, 3, 1)
        assert (counted.bytes_in, counted.bytes_out) == (3 * size_bytes, 2 * size_bytes)
        broker.delete_topic("t")
        elsewhere = _stats(broker).elsewhere
        assert (elsewhere.messages_in, elsewhere.bytes_in, elsewhere.bytes_out) == (
            6,
            3 * size_bytes,
            2 * size_bytes,
        )


def test_connections_are_counted_by_listener() -> None:
    with Broker() as broker:
        stats = _stats(broker)
        with _client(broker), _client(broker):
            broker.wait_for(lambda: stats.connections["PLAINTEXT"] == 2)
        broker.wait_for(lambda: stats.connections["PLAINTEXT"] == 0)
        assert stats.connections_accepted == 2


def test_syncs_are_timed() -> None:
    with Broker(["t"], log_flush_interval_messages=1) as broker, _client(broker) as client:
        client.request(_produce(0), 12)
        assert _stats(broker).flushes.count == 1
