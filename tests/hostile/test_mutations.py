"""Thousands of valid requests, spoiled at random. Each run of a seed is the same run."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from compat.kstream_server import KstreamServer
from compat.server_process import ServerProcess
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.apis import APIS, ApiKey
from kstream.wire.messages.api_versions import ApiVersionsRequest
from tests.hostile.bystander import Bystander, anonymous_bytes
from tests.hostile.mutations import Requests, random_batch, spoiled_batch, spoiled_frame
from tests.requests import create_topic, describe_topic, produce_request

MIB = 1 << 20
FRAMES = 1000
BATCHES = 1000

# What Kafka answers to batches that are wrong in themselves.
_BATCH_ERRORS = {
    ErrorCode.NONE,
    ErrorCode.CORRUPT_MESSAGE,
    ErrorCode.MESSAGE_TOO_LARGE,
    ErrorCode.INVALID_TIMESTAMP,
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode.INVALID_PRODUCER_EPOCH,
    ErrorCode.INVALID_TXN_STATE,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,  # a transactional batch without a transactional id
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    ErrorCode.INVALID_RECORD,
    ErrorCode.UNKNOWN_SERVER_ERROR,
}

# Well-formed, these take a broker out of service, or slow its clients down, as they should.
_OBEYED_TO_THE_END = {
    ApiKey.ALTER_CLIENT_QUOTAS,
    ApiKey.UPDATE_FEATURES,
    ApiKey.UNREGISTER_BROKER,
    ApiKey.ADD_RAFT_VOTER,
    ApiKey.REMOVE_RAFT_VOTER,
    ApiKey.UNREGISTER_CONTROLLER,
}


@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 34))])
def test_spoiled_requests(server: ServerProcess, bystander: Bystander, seed: int) -> None:
    rng = random.Random(seed)
    topic = f"{bystander.topic}-target"
    create_topic(bystander.client, topic)
    topic_id = describe_topic(bystander.client, topic).topic_id
    requests = Requests(rng, names=[topic, f"{topic}-2"], topic_ids=[topic_id])
    apis = bystander.client.request(ApiVersionsRequest(), 0).api_keys
    known = [
        (api.api_key, max(api.min_version, APIS[api.api_key].versions_min))
        for api in apis
        if api.api_key in APIS and api.api_key not in _OBEYED_TO_THE_END
    ]
    before = anonymous_bytes(server.pid)
    for n in range(FRAMES):
        api_key, version_min = rng.choice(known)
        version = rng.randint(version_min, APIS[api_key].versions_max)
        _send_and_hang_up(server, spoiled_frame(rng, requests.frame(api_key, version)))
        if n % 50 == 0:
            bystander.ping()
    if isinstance(server, KstreamServer):
        grown = anonymous_bytes(server.pid) - before
        assert grown < 48 * MIB, f"{grown / MIB:.1f} MiB more after {FRAMES} spoiled requests"


def _send_and_hang_up(server: ServerProcess, frame: bytes) -> None:
    """Send it on a connection of its own, end our direction, and see the server end its own.

    What was asked for may be a long poll, so the wait is short.
    """
    with WireClient(*server.address) as client, suppress(OSError):  # it may be closed before we are done
        client.send_raw(frame)
        client.half_close()
        client.is_closed(timeout_s=0.2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spoiled_batches(server: ServerProcess, bystander: Bystander, seed: int) -> None:
    """Each is answered on the one connection that sends them all, with an error that Kafka knows."""
    rng = random.Random(seed)
    topic = f"{bystander.topic}-batches"
    create_topic(bystander.client, topic)
    codes = set()
    with WireClient(*server.address) as client:
        for _ in range(BATCHES):
            request = produce_request(topic, spoiled_batch(rng, random_batch(rng)))
            codes.add(client.request(request, 12).responses[0].partition_responses[0].error_code)
    assert codes <= _BATCH_ERRORS
    assert {ErrorCode.NONE, ErrorCode.INVALID_RECORD} <= codes
