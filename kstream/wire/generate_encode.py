"""From a declaration and a version to the source of one encode function.

The function appends byte pieces to a list. Neighbouring fields of fixed size become one `struct` call
together with the length byte of whatever follows them. Records are appended as they are; if they are not
bytes-like (a region of a file), their place in the list is noted, so that the sender can keep them out of the
join.

Anything that cannot be encoded makes the function hand over to the reference encoder
(`kstream.wire.reference`), which fails in the same place and says which field it was.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

from kstream.wire.fields import Field
from kstream.wire.plan import FIXED, STRING_SIZE_MAX, element_kind, layout, shared_structs

SHORT: Final = 33
"""Plain arrays of fewer elements are written by a prepared `struct` call."""


@cache
def pack_table(format: str) -> tuple[Any, ...]:
    """At index n: pack n values of a format."""
    return tuple(struct.Struct(f">{format * n}").pack for n in range(SHORT))


class EncodeWriter:
    """Writes the encode function of one message class and version."""

    def __init__(self, cls: Any, version: int) -> None:
        self.version = version
        self.flexible = version in cls.FLEXIBLE
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self.indent = 2
        self.count = 0
        self.out = "out"
        self.pieces: list[str] = []
        self.pending: list[tuple[str, str]] = []
        self.shared = shared_structs(cls, version)
        self.functions: dict[Any, str] = {}
        self.struct("m", cls)
        self.flush()

    def source(self, name: str) -> str:
        """The whole function, behind those of the structs that have their own."""
        return "\n".join(
            [
                *self.functions.values(),
                f"def {name}(m, out):",
                " places = None",
                " try:",
                *self.lines,
                "  return places",
                " except FAILURES as failure:",
                "  raise explain(m, failure) from None",
                "",
            ]
        )

    # Writing lines and pieces

    def add(self, line: str) -> None:
        self.lines.append(" " * self.indent + line)

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def constant(self, prefix: str, value: object) -> str:
        for name, known in self.namespace.items():
            if known is value and name.startswith(prefix):
                return name
        name = f"{prefix}{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def packer(self, formats: str) -> str:
        name = "p_" + formats.replace("?", "t")
        if name not in self.namespace:
            self.namespace[name] = struct.Struct(">" + formats).pack
        return name

    def packed(self, pending: list[tuple[str, str]]) -> str:
        formats = "".join(format for format, _ in pending)
        if not formats.strip("x"):
            return repr(bytes(len(formats)))
        return f"{self.packer(formats)}({', '.join(value for _, value in pending if value)})"

    def write(self, format: str, value: str) -> None:
        """Queue a fixed-size value; neighbours are packed together. Format `x` is a zero byte, no value."""
        self.pending.append((format, value))

    def write_uvarint(self, value: str, *, two_bytes: bool) -> None:
        """End the queue with a length, usually of one byte; of two with records."""
        text = f"{self.packed([*self.pending, ('B', value)])} if {value} < 128 else "
        if two_bytes:
            two = [("B", f"{value} & 127 | 128"), ("B", f"{value} >> 7")]
            text += f"{self.packed([*self.pending, *two])} if {value} < 16384 else "
        if self.pending:
            text += f"{self.packed(self.pending)} + "
        self.pieces.append(f"{text}uvarint({value})")
        self.pending = []

    def settle(self) -> None:
        """Turn the queue of fixed-size values into a piece."""
        if self.pending:
            self.pieces.append(self.packed(self.pending))
            self.pending = []

    def flush(self) -> None:
        """Write out all pieces: needed before a loop or a branch."""
        self.settle()
        if len(self.pieces) == 1:
            self.add(f"{self.out}.append({self.pieces[0]})")
        elif self.pieces:
            self.add(f"{self.out} += ({', '.join(self.pieces)})")
        self.pieces = []

    # Structs

    def struct(self, source: str, cls: Any) -> None:
        if cls not in self.shared:
            self.fields(source, cls)
            return
        if cls not in self.functions:
            self.functions[cls] = self.function(cls)
        self.flush()
        self.add(f"write_{cls.__name__}({source}, {self.out})")

    def function(self, cls: Any) -> str:
        """A function that writes a shared struct."""
        outside = self.lines, self.indent, self.out, self.pieces, self.pending
        self.lines, self.indent, self.out, self.pieces, self.pending = [], 1, "out", [], []
        self.fields("m", cls)
        self.flush()
        text = "\n".join([f"def write_{cls.__name__}(m, out):", *(self.lines or [" pass"]), ""])
        self.lines, self.indent, self.out, self.pieces, self.pending = outside
        return text

    def fields(self, source: str, cls: Any) -> None:
        inline, tagged, absent = layout(cls, self.version)
        for field in absent:
            if not field.ignorable:
                self.refuse_unless_default(f"{source}.{field.name}", field)
        for field in inline:
            self.field(f"{source}.{field.name}", field)
        if self.flexible:
            if tagged:
                self.tags(source, tagged)
            else:
                self.write("x", "")

    def differs(self, value: str, field: Field) -> str:
        """An expression that is true if a value is not the default."""
        default = field.default
        if default is None:
            return f"{value} is not None"
        if field.kind == "struct":
            constant = self.constant("D_", default)
            return f"{value} is not {constant} and {value} != {constant}"
        if field.kind == "bool":
            return f"not {value}" if default else value
        if field.kind == "uuid":
            return f"{value} != ZERO_UUID"
        return f"{value} != {default!r}"

    def refuse_unless_default(self, value: str, field: Field) -> None:
        if field.kind == "records":
            self.add(f"if {value}: raise BadEncoding")
        else:
            self.add(f"if {self.differs(value, field)}: raise BadEncoding")

    def tags(self, source: str, tagged: list[Field]) -> None:
        """Values that are not the default, each as tag, size and bytes. `k` counts them, `g` holds them."""
        self.flush()
        outer, tags = self.out, self.name("g")
        count = self.name("k")
        values = []
        for field in tagged:
            value = self.name("v")
            values.append(value)
            self.add(f"{value} = {source}.{field.name}")
        tests = [f"({self.differs(value, field)})" for value, field in zip(values, tagged, strict=True)]
        self.add(f"if {' or '.join(tests)}:")
        self.indent += 1
        self.add(f"{count} = 0")
        self.add(f"{tags} = []")
        for value, test, field in zip(values, tests, tagged, strict=True):
            self.add(f"if {test}:")
            self.indent += 1
            self.out = self.name("w")
            self.add(f"{self.out} = []")
            self.field(value, field)
            self.flush()
            body = self.name("s")
            self.add(f"{body} = b''.join({self.out})")
            self.add(f"{tags} += (uvarint({field.tag}), uvarint(len({body})), {body})")
            self.add(f"{count} += 1")
            self.indent -= 1
        self.out = outer
        self.add(f"{outer}.append(uvarint({count}))")
        self.add(f"{outer} += {tags}")
        self.indent -= 1
        self.add(f"else: {outer}.append(b'\\0')")

    # Fields

    def field(self, value: str, field: Field) -> None:
        nullable = self.version in field.nullable
        if field.kind in FIXED:
            self.fixed(value, field.kind)
        elif field.kind == "struct":
            self.nested(value, field, nullable=nullable)
        elif field.kind == "array":
            self.array(value, field, nullable=nullable)
        elif field.kind == "records":
            self.records(value, nullable=nullable)
        else:
            self.sized(value, field.kind, nullable=nullable, compact=self.flexible and field.compact)

    def fixed(self, value: str, kind: str) -> None:
        if kind == "uuid":
            local = self.name("v")
            self.add(f"{local} = {value}")
            self.add(f"if len({local}) != 16: raise BadEncoding")
            value = local
        self.write(FIXED[kind][0], value)

    def nested(self, value: str, field: Field, *, nullable: bool) -> None:
        inner = self.name("o")
        if not nullable:
            self.add(f"{inner} = {value}")
            self.struct(inner, field.element)
            return
        self.flush()
        self.add(f"{inner} = {value}")
        # A tagged one says varint 0 in place of byte -1.
        absent = "b'\\xff'" if field.tag is None else "b'\\0'"
        self.add(f"if {inner} is None: {self.out}.append({absent})")
        self.add("else:")
        self.indent += 1
        self.pieces.append("b'\\x01'")
        self.struct(inner, field.element)
        self.flush()
        self.indent -= 1

    def write_length(self, length: str, *, wide: bool, compact: bool, two_bytes: bool = False) -> None:
        """A length or count; a compact `length` is one more than the size, and null is 0 or -1."""
        if compact:
            self.write_uvarint(length, two_bytes=two_bytes)
        else:
            self.write("i" if wide else "h", length)

    def sized(self, value: str, kind: str, *, nullable: bool, compact: bool) -> None:
        """A string or bytes."""
        raw, length = self.name("s"), self.name("n")
        self.add(f"{raw} = {value}")
        convert = f"{raw} = {raw}.encode()" if kind == "string" else ""
        plus = " + 1" if compact else ""
        if nullable:
            self.add(f"if {raw} is None: {raw} = b''; {length} = {0 if compact else -1}")
            self.add(f"else: {convert + '; ' if convert else ''}{length} = len({raw}){plus}")
        else:
            if convert:
                self.add(convert)
            self.add(f"{length} = len({raw}){plus}")
        if kind == "string" and compact:
            self.add(f"if {length} > {STRING_SIZE_MAX + 1}: raise BadEncoding")
        self.write_length(length, wide=kind != "string", compact=compact)
        self.settle()
        self.pieces.append(raw)

    def records(self, value: str, *, nullable: bool) -> None:
        local, length = self.name("r"), self.name("n")
        self.add(f"{local} = {value}")
        size = f"len({local}){' + 1' if self.flexible else ''}"
        if nullable:
            size = f"{0 if self.flexible else -1} if {local} is None else {size}"
        self.add(f"{length} = {size}")
        self.write_length(length, wide=True, compact=self.flexible, two_bytes=True)
        self.flush()
        if nullable:
            self.add(f"if {local} is not None:")
            self.indent += 1
        self.add(f"if type({local}) not in BYTES_LIKE:")
        self.add(" if places is None: places = []")
        self.add(f" places.append(len({self.out}))")
        self.add(f"{self.out}.append({local})")
        if nullable:
            self.indent -= 1

    def array(self, value: str, field: Field, *, nullable: bool) -> None:
        items, length = self.name("a"), self.name("n")
        self.add(f"{items} = {value}")
        kind = element_kind(field)
        plus = " + 1" if self.flexible else ""
        if nullable:
            self.add(f"if {items} is None: {items} = (); {length} = {0 if self.flexible else -1}")
            self.add(f"else: {length} = len({items}){plus}")
        else:
            self.add(f"{length} = len({items}){plus}")
        self.write_length(length, wide=True, compact=self.flexible)
        if kind == "uuid":
            self.settle()
            self.pieces.append(f"uuids({items})")
        elif kind in FIXED:
            self.settle()
            format = FIXED[kind][0]
            table = self.constant("table_", pack_table(format))
            count = f"len({items})"
            long = f"pack(f'>{{{count}}}{format}', *{items})"
            self.pieces.append(f"{table}[{count}](*{items}) if {count} < {SHORT} else {long}")
        else:
            self.flush()
            element = self.name("o")
            self.add(f"for {element} in {items}:")
            self.indent += 1
            if field.may_be_encoded:
                self.add(f"if type({element}) is bytes: {self.out}.append({element}); continue")
            if kind == "struct":
                mark = len(self.lines)
                self.struct(element, field.element)
                self.flush()
                if len(self.lines) == mark:
                    self.add("pass")
            else:
                self.sized(element, kind, nullable=False, compact=self.flexible)
                self.flush()
            self.indent -= 1
