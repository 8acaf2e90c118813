"""What declarations are made of: `Struct` and `Message`.

A class body that declares fields becomes a class with `__slots__`, a keyword constructor in which everything
is optional, equality by value, and a `__repr__` that shows what differs from the defaults. No code is
generated when the class is made: constructors are compiled at their first call, codecs at theirs
(`kstream.wire.codec`).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar, dataclass_transform

from kstream.wire.fields import (
    NO_VERSIONS,
    Field,
    Records,
    Versions,
    array,
    boolean,
    bytes_,
    float64,
    int8,
    int16,
    int32,
    int64,
    parse_versions,
    records,
    string,
    struct,
    uint16,
    uint32,
    uuid,
)

__all__ = [
    "Message",
    "Records",
    "Struct",
    "array",
    "boolean",
    "bytes_",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "records",
    "string",
    "struct",
    "uint16",
    "uint32",
    "uuid",
]


@dataclass_transform(kw_only_default=True)
class StructMeta(type):
    """Turns the fields of a class body into slots."""

    __fields__: tuple[Field, ...]

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> StructMeta:
        fields = []
        for key, value in namespace.items():
            if isinstance(value, Field):
                value.name = key
                fields.append(value)
        for field in fields:
            del namespace[field.name]
        namespace["__slots__"] = tuple(field.name for field in fields)
        namespace["__fields__"] = tuple(fields)
        return super().__new__(mcls, name, bases, namespace, **keywords)

    @property
    def __default__(cls) -> Any:
        """The all-default instance that stands for a struct nobody set: shared, so it refuses changes."""
        default = cls.__dict__.get("__frozen_default__")
        if default is None:
            default = _frozen(cls)
            type.__setattr__(cls, "__frozen_default__", default)
        return default


class Struct(metaclass=StructMeta):
    """A group of fields: a message, or a part of one. Subclasses declare the fields."""

    __fields__: ClassVar[tuple[Field, ...]] = ()

    def __init__(self, **values: Any) -> None:
        cls = _declared(type(self))
        constructor = _constructor(cls)
        type.__setattr__(cls, "__init__", constructor)
        constructor(self, **values)

    def __eq__(self, other: object) -> bool:
        cls = _declared(type(self))
        if not isinstance(other, cls):
            return NotImplemented
        if not cls.__fields__:
            return True
        values = attrgetter(*cls.__slots__)
        return bool(values(self) == values(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        cls = _declared(type(self))
        parts = []
        for field in cls.__fields__:
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(f"{field.name}={_shown(value)}")
        return f"{cls.__name__}({', '.join(parts)})"


class Message(Struct):
    """A request, a response, a header, or the body of a record: what is encoded and decoded as a whole.

    `api_key` is also the type of a record (metadata records, coordinator keys and values); -1 where there is
    none. `versions` are those that exist, `flexible` those with compact lengths and tagged fields (KIP-482).
    """

    API_KEY: ClassVar[int] = -1
    VERSIONS: ClassVar[Versions] = NO_VERSIONS
    FLEXIBLE: ClassVar[Versions] = NO_VERSIONS

    def __init_subclass__(cls, *, versions: str, flexible: str = "none", api_key: int = -1) -> None:
        cls.API_KEY = api_key
        cls.VERSIONS = parse_versions(versions)
        cls.FLEXIBLE = parse_versions(flexible)


def _declared(cls: type) -> StructMeta:
    """The class that declares the fields: the class itself, or what a frozen default stands for."""
    declared = cls.__bases__[0] if "__frozen__" in cls.__dict__ else cls
    assert isinstance(declared, StructMeta)
    return declared


def _constructor(cls: StructMeta) -> Callable[..., None]:
    """Compile `__init__` for a class: straight assignments, with a new list where the default is one."""
    namespace: dict[str, Any] = {"UNSET": object()}
    parameters = []
    lines = []
    for index, field in enumerate(cls.__fields__):
        name, default = field.name, field.default
        if default == [] and isinstance(default, list):
            parameters.append(f"{name}=UNSET")
            lines.append(f" self.{name} = [] if {name} is UNSET else {name}")
            continue
        namespace[f"D{index}"] = default
        parameters.append(f"{name}=D{index}")
        lines.append(f" self.{name} = {name}")
    signature = ", ".join(["self", *(["*", *parameters] if parameters else [])])
    source = f"def __init__({signature}):\n" + ("\n".join(lines) or " pass")
    exec(compile(source, f"<constructor of {cls.__name__}>", "exec"), namespace)
    constructor: Callable[..., None] = namespace["__init__"]
    return constructor


class FrozenList(list[Any]):
    """The empty list of a shared default."""

    def _refuse(self, *arguments: object) -> Any:
        raise TypeError("this list belongs to a shared default: assign a new struct instead of changing it")

    append = extend = insert = __iadd__ = __setitem__ = _refuse


def _frozen(cls: StructMeta) -> Any:
    def refuse(self: object, name: str, value: object) -> None:
        raise AttributeError(
            f"this {cls.__name__} is the shared default: assign a new {cls.__name__}(...) instead of "
            f"changing its {name}"
        )

    keywords: dict[str, Any] = {}
    if issubclass(cls, Message):
        keywords["versions"] = "none"
    frozen: Any = type(cls)(cls.__name__, (cls,), {"__frozen__": True}, **keywords)
    instance: Any = object.__new__(frozen)
    for field in cls.__fields__:
        default = field.default
        setattr(instance, field.name, FrozenList() if isinstance(default, list) else default)
    frozen.__setattr__ = refuse
    return instance


def _shown(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value) > 64:
        return f"<{len(value)} bytes>"
    if isinstance(value, memoryview):
        return repr(bytes(value))
    return repr(value)
