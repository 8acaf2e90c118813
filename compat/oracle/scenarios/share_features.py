"""Share groups switched off and on again; who coordinates their state."""

from __future__ import annotations

from compat.oracle.batches import batch
from compat.oracle.requests import UNKNOWN_ID, store
from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.group_offsets import share_coordinated
from compat.oracle.scenarios.share_groups import (
    describe,
    new_share_group,
    share_beat,
    share_join,
    until_initialized,
)
from compat.oracle.scenarios.share_offsets import alter, delete, offsets, wanted
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kstream.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from kstream.wire.uuids import format_uuid

_API_VERSIONS = ApiVersionsRequest(client_software_name="oracle", client_software_version="1")


@scenario
def share_find_coordinator(run: Run) -> None:
    """Who coordinates the state of a share partition: keys of all shapes."""
    share_coordinated(run)
    topic = format_uuid(UNKNOWN_ID)  # it need not be there
    keys = {
        "good": f"g:{topic}:0",
        "another partition": f"g:{topic}:7",
        "colons in the group": f"g:h:{topic}:0",
        "no group": f":{topic}:0",
        "blank group": f" :{topic}:0",
        "no topic": "g::0",
        "no partition": f"g:{topic}:",
        "negative partition": f"g:{topic}:-1",
        "no number": f"g:{topic}:x",
        "number with plus": f"g:{topic}:+1",
        "large number": f"g:{topic}:2147483648",
        "blanks": f"g: {topic} : 0",
        "no uuid": "g:h:0",
        "two parts": f"g:{topic}",
        "empty": "",
        "group alone": "g",
    }
    for note, key in keys.items():
        run.call(note, FindCoordinatorRequest(key_type=2, coordinator_keys=[key]), 6)
    for version in (4, 5):
        run.call("too old", FindCoordinatorRequest(key_type=2, coordinator_keys=[keys["good"]]), version)
    run.call("too old, alone", FindCoordinatorRequest(key_type=2, key=keys["good"]), 3)
    several = [keys["good"], keys["empty"], keys["another partition"]]
    run.call("several", FindCoordinatorRequest(key_type=2, coordinator_keys=several), 6)


@scenario
def share_groups_switched_off(run: Run) -> None:
    """The feature's level falls to 0, what its APIs say then, and rises again."""
    share_coordinated(run)
    topic = run.topic("t")
    store(run, topic, batch(b"v"))
    group = new_share_group(run, "g")
    run.ask(share_join(group, "a", topic.name), 1)
    until_initialized(run, group, t=1)

    def level_of(answer: ApiVersionsResponse) -> int:
        return next(
            (each.max_version_level for each in answer.finalized_features if each.name == "share.version"), 0
        )

    def change(level: int) -> None:
        kind = 3 if level == 0 else 1
        update = FeatureUpdateKey(feature="share.version", max_version_level=level, upgrade_type=kind)
        run.call(f"level {level}", UpdateFeaturesRequest(feature_updates=[update]), 1)
        run.until(_API_VERSIONS, 4, lambda answer: level_of(answer) == level)

    def ours_alone(answer: ListGroupsResponse) -> None:
        answer.groups = [each for each in answer.groups if each.group_id == group]

    for level in (0, 1, 2):
        change(level)
        of = f"at {level}"
        run.call(f"{of}: beat", share_beat(group, "a", 2), 1)
        run.call(f"{of}: join", share_join(group, "b", topic.name), 1)
        describe(run, f"{of}: describe", group)
        offsets(run, f"{of}: all", wanted(group))
        offsets(run, f"{of}: named", wanted(group, {topic.name: [0]}))
        run.call(f"{of}: alter", alter(group, {topic.name: {0: 1}}), 0)
        run.call(f"{of}: delete offsets", delete(group, topic.name), 0)
        run.call(f"{of}: list", ListGroupsRequest(), 5, trim=ours_alone)
        key = f"g:{format_uuid(UNKNOWN_ID)}:0"
        run.call(f"{of}: coordinator", FindCoordinatorRequest(key_type=2, coordinator_keys=[key]), 6)
        run.call(f"{of}: delete", DeleteGroupsRequest(groups_names=[group]), 2)
        run.call(f"{of}: leave", share_beat(group, "b", -1), 1)
