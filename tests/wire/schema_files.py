"""Declarations against schema files in Kafka's JSON: field by field, version by version."""

from __future__ import annotations

import json
import re
from typing import Any

from kstream.wire.fields import parse_versions
from kstream.wire.plan import element_kind, layout
from kstream.wire.schema import Message

Layouts = list[tuple[Any, ...]]


def parse(text: str) -> dict[str, Any]:
    """A schema file's content; its comments are lines of their own or follow a value."""
    parsed: dict[str, Any] = json.loads(re.sub(r"(?m)(^|\s)//.*$", "", text))
    return parsed


def snake_case(name: str) -> str:
    """A schema's field name as the declarations spell it."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return words.replace("k_raft", "kraft").replace("enable2_pc", "enable_2pc")


def differences(schema: dict[str, Any], cls: type[Message]) -> list[str]:
    """What a schema and a declaration disagree about in the versions that both have."""
    common = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
    theirs = parse_versions(schema["validVersions"])
    first, last = max(theirs.first, cls.VERSIONS.first), min(theirs.last, cls.VERSIONS.last)
    found = []
    if schema.get("apiKey", -1) != cls.API_KEY:
        found.append(f"{cls.__name__}: key {cls.API_KEY}, theirs {schema['apiKey']}")
    flexible = parse_versions(schema["flexibleVersions"])
    for version in range(first, last + 1):
        if (version in flexible) != (version in cls.FLEXIBLE):
            found.append(f"{cls.__name__} v{version}: flexible")
        declared = declared_layout(cls, version)
        expected = schema_layout(schema["fields"], common, version)
        if declared != expected:
            found.append(f"{cls.__name__} v{version}:\n  ours   {declared}\n  theirs {expected}")
    return found


def declared_layout(cls: Any, version: int) -> Layouts:
    """Name, type, tag, nullable, default, ignorable and parts of each field that a version has."""
    inline, tagged, _ = layout(cls, version)
    rows: Layouts = []
    for field in [*inline, *tagged]:
        kind = field.kind
        if kind == "array":
            kind = f"[]{element_kind(field)}"
        nullable = version in field.nullable
        default = field.default
        if field.kind == "struct":
            default = None if default is None else "struct"
        parts = declared_layout(field.struct, version) if field.struct is not None else []
        rows.append((field.name, kind, field.tag, nullable, default, field.ignorable, parts))
    return rows


def schema_layout(fields: list[dict[str, Any]], common: dict[str, Any], version: int) -> Layouts:
    """The same, read from a schema."""
    inline: Layouts = []
    tagged: Layouts = []
    for field in fields:
        name = snake_case(field["name"])
        ignorable = str(field.get("ignorable", "false")).lower() == "true"
        if version not in parse_versions(field.get("versions") or field.get("taggedVersions")):
            continue
        array, kind = field["type"].startswith("[]"), field["type"].removeprefix("[]")
        parts: Layouts = []
        if kind[0].isupper():
            parts = schema_layout(field.get("fields") or common[kind], common, version)
            kind = "struct"
        kind = f"[]{kind}" if array else kind
        nullable = version in parse_versions(field.get("nullableVersions"))
        is_tagged = version in parse_versions(field.get("taggedVersions"))
        row = (
            name,
            kind,
            field.get("tag") if is_tagged else None,
            nullable,
            _default(field, kind),
            ignorable,
            parts,
        )
        (tagged if is_tagged else inline).append(row)
    tagged.sort(key=lambda row: row[2])
    return [*inline, *tagged]


def _default(field: dict[str, Any], kind: str) -> Any:
    text = field.get("default")
    if str(text) == "null" and isinstance(text, str):
        return None
    text = "" if text is None else str(text)
    if kind.startswith("[]"):
        return []
    plain = {"struct": "struct", "records": None, "uuid": bytes(16), "bytes": b"", "string": text}
    if kind in plain:
        return plain[kind]
    if kind == "bool":
        return text.lower() == "true"
    if kind == "float64":
        return float(text or 0)
    return int(text or "0", 0)
