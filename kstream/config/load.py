"""Where the values a broker starts with come from: a properties file, the environment, the command line.

The command line wins over the environment, which wins over the file. Every value remembers where it came
from, so that what is said about it names the place to change. What kstream cannot do is never passed over in
silence: a note says what happens instead, or the start is refused where carrying on would leave a door open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from kstream.config.addresses import controller_listener_names
from kstream.config.broker import BrokerConfig
from kstream.config.catalogue import broker_keys
from kstream.config.errors import ConfigError
from kstream.config.key import Support
from kstream.config.properties import parse_properties

# Variables that the official container image keeps for its own scripts.
_SCRIPT_VARIABLES = frozenset(
    {
        "KAFKA_VERSION",
        "KAFKA_HEAP_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_OPTS",
        "KAFKA_JMX_OPTS",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_JMX_HOSTNAME",
    }
)
_LISTENER_PREFIX = re.compile(r"listener[.]name[.][^.]+[.](.+)")


class Note(NamedTuple):
    """Something to tell whoever starts the server. `is_warning` is false for what changes nothing they would
    see.
    """

    is_warning: bool
    text: str


class Given(NamedTuple):
    """A value as it was given, and where: a file's name, a variable's, or a flag."""

    text: str
    origin: str


def load(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    settings: Iterable[Given | str] = (),
) -> tuple[BrokerConfig, list[Note]]:
    """The configuration to start with, and what there is to say about it.

    `settings` are `KEY=VALUE` texts from the command line. Raises ConfigError, in one line that names the
    place.
    """
    given: dict[str, Given] = {}
    if file is not None:
        given.update(from_file(file))
    given.update(from_environment(environment or {}))
    for setting in settings:
        given.update(from_setting(setting))
    notes = judge(given)
    config = BrokerConfig({name: value.text for name, value in given.items()})
    controllers = controller_listener_names(config.get)
    if controllers and "listeners" in given:
        left_out = ", ".join(sorted(controllers))
        notes.append(Note(False, f"listener {left_out} is left out: kstream's controller needs no socket"))
    return config, notes


def from_file(file: Path) -> dict[str, Given]:
    """Values of a properties file."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--config {file}: {error.strerror}; name a readable properties file") from error
    try:
        text = data.decode()
    except UnicodeDecodeError:  # Java reads these files as Latin-1
        text = data.decode("latin-1")
    try:
        values = parse_properties(text)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return {name: Given(value, str(file)) for name, value in values.items()}


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """Values of `KAFKA_` variables by the container image's rule, and of its CLUSTER_ID.

    In a name, `_` is a dot, `__` an underscore and `___` a hyphen: KAFKA_LOG_RETENTION_MS is
    log.retention.ms.
    """
    values: dict[str, Given] = {}
    for variable, text in environment.items():
        if variable == "CLUSTER_ID":
            values["kstream.cluster.id"] = Given(text, variable)
        elif variable.startswith("KAFKA_") and variable not in _SCRIPT_VARIABLES:
            name = variable.removeprefix("KAFKA_").lower().replace("_", ".")
            values[name.replace("...", "-").replace("..", "_")] = Given(text, variable)
    return values


def from_setting(setting: Given | str) -> dict[str, Given]:
    """The value of one `KEY=VALUE` from the command line."""
    given, origin = (setting.text, setting.origin) if isinstance(setting, Given) else (setting, None)
    name, equals, text = (part.strip() for part in given.partition("="))
    if not equals or not name:
        raise ConfigError(f"--set {given}: expected KEY=VALUE, for example --set num.partitions=3")
    # The value stays out of the origin, which is logged: it may be a secret.
    return {name: Given(text, origin or f"--set {name}")}


def judge(given: Mapping[str, Given]) -> list[Note]:
    """Check every value, and say what kstream will not do with it. Raises ConfigError for what it must not
    ignore.
    """
    keys = broker_keys()
    notes: list[Note] = []
    for name, (text, origin) in given.items():
        prefixed = _LISTENER_PREFIX.fullmatch(name)
        base = _known_suffix(prefixed[1]) if prefixed else name
        key = keys.get(base)
        if key is None:
            notes.append(
                Note(True, f"{origin}: {name} is not a key of Kafka 4.4; it is ignored{_meant(name)}")
            )
            continue
        try:
            canonical = key.canonical(text)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}") from error
        if prefixed is None and (key.support is Support.HONOURED or canonical == key.default):
            continue
        if key.support is Support.REFUSED:
            raise ConfigError(
                f"{origin}: {name} cannot be honoured: {key.note}; leave it out to run without it"
            )
        if key.support is Support.HONOURED:
            notes.append(
                Note(True, f"{origin}: {name} has no effect: limits per listener are not kept; set {base}")
            )
        else:
            notes.append(
                Note(key.support is Support.UNAVAILABLE, f"{origin}: {name} has no effect: {key.note}")
            )
    _require_broker_role(given)
    return notes


def _known_suffix(rest: str) -> str:
    """`ssl.client.auth` of itself; `sasl.jaas.config` of `plain.sasl.jaas.config`, which names a mechanism
    first.
    """
    keys = broker_keys()
    after_mechanism = rest.partition(".")[2]
    return rest if rest in keys or after_mechanism not in keys else after_mechanism


def _meant(name: str) -> str:
    import difflib  # costs milliseconds; only mistakes pay

    close = difflib.get_close_matches(name, broker_keys(), n=1, cutoff=0.85)
    return f"; did you mean {close[0]}?" if close else ""


def _require_broker_role(given: Mapping[str, Given]) -> None:
    roles = given.get("process.roles")
    if roles is not None and "broker" not in [role.strip() for role in roles.text.split(",")]:
        raise ConfigError(
            f"{roles.origin}: process.roles is {roles.text}, but kstream is a broker; add broker to it"
        )
