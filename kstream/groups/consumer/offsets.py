"""Which members of a consumer group may commit and fetch offsets: those of the present epoch, and those of an
older one for partitions that they have had since before it (KIP-1251).
"""

from __future__ import annotations

from collections.abc import Callable

from kstream.errors import ApiError, ErrorCode
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember

PartitionCheck = Callable[[bytes, int], None]
"""Of a topic id and a partition. Raises ApiError, and then the whole commit is refused."""

_FIRST_VERSION_WITH_MEMBER_EPOCH = 9


def allow_all(topic_id: bytes, partition: int) -> None:
    """Every partition may be committed."""


def check_commit(group: ConsumerGroup, member_id: str, epoch: int, api_version: int) -> PartitionCheck:
    """How to check the partitions of a commit that is in no transaction.

    Raises:
        ApiError: UNKNOWN_MEMBER_ID, UNSUPPORTED_VERSION, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    """
    if epoch < 0 and group.is_empty:
        return allow_all  # An operator, or a consumer that assigns itself.
    member = group.member(member_id)
    if not member.is_classic and api_version < _FIRST_VERSION_WITH_MEMBER_EPOCH:
        raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
    return _check_epoch(member, epoch)


def check_transactional_commit(
    group: ConsumerGroup, member_id: str, instance_id: str | None, epoch: int
) -> PartitionCheck:
    """The same for a commit in a transaction: producers that do not say which member they commit for
    (KIP-447) may always commit. Raises ApiError.
    """
    if epoch < 0 and (group.is_empty or (epoch == -1 and not member_id and instance_id is None)):
        return allow_all
    return _check_epoch(group.member(member_id), epoch)


def _check_epoch(member: ConsumerMember, epoch: int) -> PartitionCheck:
    if epoch == member.member_epoch:
        return allow_all
    if epoch > member.member_epoch:
        raise _stale(member)

    def check_partition(topic_id: bytes, partition: int) -> None:
        since = member.epoch_of(topic_id, partition)
        if since is None or epoch < since:
            raise _stale(member)

    return check_partition


def check_fetch(group: ConsumerGroup, member_id: str | None, epoch: int) -> None:
    """Raises ApiError: UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION."""
    if member_id is None and epoch < 0:
        return
    member = group.member(member_id or "")
    if epoch != member.member_epoch:
        raise _stale(member)


def _stale(member: ConsumerMember) -> ApiError:
    return ApiError(ErrorCode.ILLEGAL_GENERATION if member.is_classic else ErrorCode.STALE_MEMBER_EPOCH)
