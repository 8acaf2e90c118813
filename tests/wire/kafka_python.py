"""kafka-python's classes and schema files. It loads the latter in a way that Python 3.11 warns about."""

from __future__ import annotations

import importlib
import importlib.resources
import warnings
from typing import Any
from uuid import UUID

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("kafka.protocol.consumer")
    importlib.import_module("kafka.protocol.producer")
    importlib.import_module("kafka.protocol.metadata")
    importlib.import_module("kafka.protocol.admin")
    _MODULES = [
        importlib.import_module(f"kafka.protocol.{name}")
        for name in ("consumer", "producer", "metadata", "admin", "sasl")
    ]

SCHEMA_FILES = importlib.resources.files("kafka.protocol.schemas.resources")


def message_class(name: str) -> Any:
    """kafka-python's class of a request or response, or None."""
    for module in _MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    return None


def build(data_class: Any, value: Any, version: int) -> Any:
    """The same values in kafka-python's objects; tagged fields only where they differ from the default."""
    declared = {field.name: field for field in type(value).__fields__}
    values = {}
    for field in data_class._struct.fields.values():
        if not field.for_version_q(version):
            continue
        ours = declared[_our_name(field.name, declared)]
        item = getattr(value, ours.name)
        if not (field.tagged_field_q(version) and item == ours.default):
            values[field.name] = None if item is None else _converted(field, item, version)
    return data_class(version=version, **values)


def _converted(field: Any, value: Any, version: int) -> Any:
    if field.is_struct_array():
        return [build(field.data_class, item, version) for item in value]
    if field.is_struct():
        return build(field.data_class, value, version)
    if field.type_str == "uuid":
        return UUID(bytes=value)
    if field.type_str == "[]uuid":
        return [UUID(bytes=item) for item in value]
    if field.type_str == "bitfield":
        return {bit for bit in range(32) if value >> bit & 1}
    return value


def _our_name(name: str, declared: dict[str, Any]) -> str:
    """kafka-python renames a few fields."""
    if name in declared:
        return name
    others = {"generation_id": "generation_id_or_member_epoch", "enable2_pc": "enable_2pc"}
    if name in others:
        return others[name]
    return next(known for known in declared if known.endswith(f"_{name}"))
