"""The cluster's `transaction.version` goes down and up, under transactions of either generation."""

from __future__ import annotations

from itertools import count

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.transactions import Transactor
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

_FEATURE = "transaction.version"
_APIS = (0, 22, 24, 25, 26, 28)  # Produce and those of transactions
_CLASSIC, _NEWER = 4, 5
_UPGRADE, _SAFE = 1, 2


def _only_transactions(answer: ApiVersionsResponse) -> None:
    answer.api_keys = [each for each in answer.api_keys if each.api_key in _APIS]
    answer.supported_features = [each for each in answer.supported_features if each.name == _FEATURE]
    answer.finalized_features = [each for each in answer.finalized_features if each.name == _FEATURE]
    answer.finalized_features_epoch = -1


@scenario
def transaction_versions(run: Run) -> None:
    """Down to 1 and 0 and back to 2: what is advertised, and what both generations of clients get."""
    topic = run.topic("t", partitions=2)
    classic, newer = Transactor(run, "classic"), Transactor(run, "newer")
    classic.init("first")
    newer.init("first")

    def level(answer: ApiVersionsResponse) -> int:
        return next(
            (each.max_version_level for each in answer.finalized_features if each.name == _FEATURE), 0
        )

    def change(to: int, kind: int, settled: int | None = None) -> None:
        update = FeatureUpdateKey(feature=_FEATURE, max_version_level=to, upgrade_type=kind)
        run.call(f"to {to}, type {kind}", UpdateFeaturesRequest(feature_updates=[update]), 2)
        wanted = to if settled is None else settled
        asked = ApiVersionsRequest(client_software_name="oracle", client_software_version="1")
        run.until(asked, 4, lambda answer: level(answer) == wanted)
        run.call(f"advertised after {to}, type {kind}", asked, 4, trim=_only_transactions)

    def one(note: str, *, commit: bool) -> None:
        """A classic transaction."""
        classic.add(note, topic)
        classic.produce(note, topic, next(sequence), version=11)
        classic.end(note, commit=commit, version=_CLASSIC)

    def both(note: str) -> None:
        """One transaction of each, committed, and one aborted."""
        for commit in (True, False):
            how = f"{'commit' if commit else 'abort'} {note}"
            one(how, commit=commit)
            newer.produce(how, topic, index=1, version=12)
            newer.describe(how)
            newer.end(how, commit=commit, version=_NEWER)
            newer.describe(f"{how}, ended")

    sequence = count()
    both("with 2")
    newer.produce("open over the change", topic, index=1, version=12)
    change(1, _UPGRADE, 2)
    change(1, _SAFE)
    newer.end("open over the change", version=_NEWER)
    both("with 1")
    newer.init("while nothing is open, with 1", newer.producer_id, newer.epoch)
    newer.produce("for a fence", topic, index=1, version=12)
    newer.init("while it is open, with 1")
    newer.init("after the abort, with 1")
    # Nobody sends the newer requests now: in Kafka such a transaction would never be complete.
    change(0, _SAFE)
    one("commit with 0", commit=True)
    one("abort with 0", commit=False)
    change(2, _UPGRADE)
    both("with 2 again")
