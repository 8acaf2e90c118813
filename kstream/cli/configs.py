"""`kstream configs`, and what other commands need of settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_rows, say
from kstream.replay.errors import ReplayError

app = App(name="configs", help="Show and change settings of topics, brokers and groups.")

Kind = Literal["topic", "broker", "group"]


@app.command
def describe(
    kind: Kind,
    name: str = "",
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", help="Also what is the default.")] = False,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """Show the settings of a topic, a broker or a group: those that somebody set, or all.

    Parameters
    ----------
    kind
        What it is.
    name
        Which one; of brokers, the one that answers if not said.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    name = _name(cluster, admin, kind, name)
    entries = _entries(cluster, admin, _TYPES[kind], name)
    rows = [
        {
            "setting": entry.name,
            "value": entry.value,
            "source": ConfigSource(entry.source).name.lower().removesuffix("_config"),
            "read_only": entry.is_read_only,
        }
        for _, entry in sorted(entries.items())
        if every or _is_changed(entry)
    ]
    none = f"every setting of {kind} {name} is the default: --all shows them"
    print_rows(rows, ["setting", "value", "source"], as_json=as_json, none=none)


@app.command(name="set")
def set_configs(kind: Kind, name: str, /, *settings: str, cluster: Cluster | None = None) -> None:
    """Change settings; they hold at once.

    Parameters
    ----------
    kind
        What it is.
    name
        Which one.
    settings
        KEY=VALUE, one or several.
    """
    cluster = cluster or Cluster()
    if not settings:
        raise ReplayError("name the settings: KEY=VALUE")
    alter(cluster, cluster.admin(), _TYPES[kind], name, settings_of(settings))


@app.command
def unset(kind: Kind, name: str, /, *keys: str, cluster: Cluster | None = None) -> None:
    """Go back to the default.

    Parameters
    ----------
    kind
        What it is.
    name
        Which one.
    keys
        The settings' names, one or several.
    """
    cluster = cluster or Cluster()
    if not keys:
        raise ReplayError("name the settings to go back to their default")
    alter(cluster, cluster.admin(), _TYPES[kind], name, dict.fromkeys(keys))


_TYPES = {
    "topic": ConfigResource.Type.TOPIC,
    "broker": ConfigResource.Type.BROKER,
    "group": ConfigResource.Type.GROUP,
}


def settings_of(texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    """`KEY=VALUE`s as a dictionary. Raises `ReplayError`."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ReplayError(f"{text}: write KEY=VALUE")
        settings[key.strip()] = value
    return settings


def alter(
    cluster: Cluster,
    admin: AdminClient,
    kind: ResourceType,
    name: str,
    values: Mapping[str, str | None],
) -> None:
    """Set values; None goes back to the default. Raises `NoAnswer`, `Refused`."""
    changes = [
        ConfigEntry(
            key,
            value,
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for key, value in values.items()
    ]
    resource = ConfigResource(kind, name, incremental_configs=changes)
    cluster.ask(admin.incremental_alter_configs([resource])[resource], f"change settings of {name}")
    for key, value in values.items():
        say(f"{name}: {key} is the default again" if value is None else f"{name}: {key}={value}")


def topic_values(cluster: Cluster, admin: AdminClient, name: str) -> dict[str, str | None]:
    """What somebody set for this very topic. Raises `NoAnswer`, `Refused`."""
    entries = _entries(cluster, admin, ConfigResource.Type.TOPIC, name)
    return {
        key: entry.value
        for key, entry in sorted(entries.items())
        if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
    }


def _entries(cluster: Cluster, admin: AdminClient, kind: ResourceType, name: str) -> dict[str, ConfigEntry]:
    resource = ConfigResource(kind, name)
    return cluster.ask(admin.describe_configs([resource])[resource], f"show settings of {name}")


def _is_changed(entry: ConfigEntry) -> bool:
    return ConfigSource(entry.source) not in (ConfigSource.DEFAULT_CONFIG, ConfigSource.UNKNOWN_CONFIG)


def _name(cluster: Cluster, admin: AdminClient, kind: str, name: str) -> str:
    if name:
        return name
    if kind != "broker":
        raise ReplayError(f"which {kind}? kstream configs describe {kind} NAME")
    return str(cluster.ask(admin.describe_cluster(), "describe the cluster").nodes[0].id)
