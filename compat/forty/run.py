"""One run: places are filled, things happen, all settles, and the histories are looked at."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from compat.builds import built
from compat.forty.check import Findings, check, load
from compat.forty.complaints import complaints
from compat.forty.fleet import GROUPS, Happening, Kind, Place, script
from compat.forty.load import SETTINGS, Load, behind
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from compat.server_process import ServerProcess
from compat.story import ClientMissing

_SETTLE_S = 120.0
_START_TIMEOUT_S = 60.0  # forty clients that connect anew leave little of a small machine
_ASK_AGAIN_S = 0.5
Tell = Callable[[str], None]


def run(
    seed: int,
    seconds: float,
    *,
    folder: Path,
    server_kills: int = 0,
    share: float = 1.0,
    only: Sequence[str] | None = None,
    with_kafka: bool = False,
    tell: Tell,
) -> list[str]:
    """Let a seed's script happen; what was wrong. `tell` takes a line at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    places = _places(folder, share, only, tell)
    happenings = script(seed, len(places), seconds, server_kills)
    counts = Counter(each.what for each in happenings if each.place >= 0)
    said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    tell(f"seed {seed}: {len(places)} consumers, {seconds:.0f} s, {server_kills} server kills: {said}")
    own = KafkaServer(SETTINGS) if with_kafka else KstreamServer(SETTINGS, start_timeout_s=_START_TIMEOUT_S)
    with own as server:
        under = Load(server.bootstrap, {place.group for place in places})
        under.prepare()
        under.start()
        try:
            _let_happen(server, places, happenings)
            began_s = time.monotonic()
            problems = _settle(server, places, under)
            tell(f"settled {time.monotonic() - began_s:.1f} s after the last trouble")
            groups = sorted({place.group for place in places})
            ends = {group: under.ends(group) for group in groups}
            for place in places:
                place.leave()
            problems += [f"{place.name} does not leave" for place in places if not place.wait_left()]
        finally:
            for place in places:
                place.crash()
        if not with_kafka and "Traceback" in server.log_path.read_text():
            problems.append(f"the server's log has a traceback: {server.log_tail()}")
    for group in groups:
        paths = sorted(folder.glob(f"{group}.*.jsonl"))
        found = check({path.stem: load(path) for path in paths}, ends[group])
        tell(_line(group, found))
        problems += [f"{group}: {problem}" for problem in found.problems]
    problems += complaints(folder)
    for problem in problems:
        tell(f"PROBLEM {problem}")
    return problems


def _places(folder: Path, share: float, only: Sequence[str] | None, tell: Tell) -> list[Place]:
    missing = set()
    try:
        built("java", "group-consumer")
    except ClientMissing as reason:
        tell(f"without Java: {reason}")
        missing.add("java")
    places = []
    for group, kinds in GROUPS.items():
        if only and group not in only:
            continue
        for count, kind in kinds:
            if kind.client not in missing:
                names = (f"{group}.{_name(kind)}-{number}" for number in range(math.ceil(count * share)))
                places += [Place(name, group, kind, folder) for name in names]
    return places


def _name(kind: Kind) -> str:
    return f"{kind.client}-{kind.protocol}"


def _let_happen(server: ServerProcess, places: Sequence[Place], happenings: Sequence[Happening]) -> None:
    began_s = time.monotonic()
    for happening in happenings:
        time.sleep(max(0.0, began_s + happening.at_s - time.monotonic()))
        if happening.place < 0:
            server.kill()
            server.start()
            continue
        place = places[happening.place]
        match happening.what:
            case "start":
                place.start(server.bootstrap)
            case "crash":
                place.crash()
            case "stand_still":
                place.stand_still()
            case "go_on":
                place.go_on()
            case "leave":
                place.leave()


def _settle(server: ServerProcess, places: Sequence[Place], under: Load) -> list[str]:
    """Everybody is up and behaves, and nothing new comes: what is not read and committed in time."""
    for place in places:
        place.go_on()
        place.start(server.bootstrap)
    under.stop()
    deadline_s = time.monotonic() + _SETTLE_S
    groups = {place.group for place in places}
    while lags := behind(under, groups):
        if time.monotonic() > deadline_s:
            return [f"{group} is {lag} records behind after {_SETTLE_S:.0f} s" for group, lag in lags.items()]
        time.sleep(_ASK_AGAIN_S)
    return []


def _line(group: str, found: Findings) -> str:
    return (
        f"{group}: {found.read} records read, {found.read_again} of them again, "
        f"{len(found.stretches)} stretches, {found.commits} commits, {found.refused} refused, "
        f"{len(found.problems)} problems"
    )
