"""From a declaration and a version to the source of one decode function.

The function is straight code for exactly that layout:

- Neighbouring fields of fixed size are read by one `struct` call, together with the length byte of whatever
  follows them, and land in their slots by tuple assignment.
- Every length is checked against the end before it is used, every count against the bytes that remain and the
  message's budget of elements.
- It does not keep track of where it is. When anything is wrong it hands over to the reference decoder
  (`kstream.wire.reference`), which reads the same bytes again, slowly, and says which field was at fault.

Names in the generated code: `b` the buffer, `p` the position, `n` a length or count, `e` the end of what is
being read, `o…` and `s…` structs, `a…` arrays, `t…` where a tagged field stops, `left` what remains of the
budget.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

from kstream.wire.fields import Field
from kstream.wire.plan import (
    ELEMENTS_MIN,
    ELEMENTS_PER_BYTE_SHIFT,
    FIXED,
    STRING_SIZE_MAX,
    element_kind,
    element_size_min,
    layout,
    shared_structs,
)

SHORT: Final = 33
"""Plain arrays of fewer elements are read by a prepared `struct` call."""

_READ: Final = {
    "string": "utf_8_decode(b[p:e], None, True)[0]",
    "bytes": "bytes(b[p:e])",
    "records": "view[p:e]",
}


@cache
def unpack_table(format: str) -> tuple[Any, ...]:
    """At index n: unpack n values of a format."""
    return tuple(struct.Struct(f">{format * n}").unpack_from for n in range(SHORT))


class DecodeWriter:
    """Writes the decode function of one message class and version."""

    def __init__(self, cls: Any, version: int) -> None:
        self.version = version
        self.flexible = version in cls.FLEXIBLE
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self.indent = 2
        self.depth = 0
        self.nested_count = 0
        self.pending: list[tuple[str, str]] = []
        self.uses_budget = False
        self.has_records = False
        self.shared = shared_structs(cls, version)
        self.functions: dict[Any, str] = {}
        self.struct("o0", cls)
        self.flush()

    def source(self, name: str) -> str:
        """The whole function, behind those of the structs that have their own."""
        head = [f"def {name}(b, p=0):", " begin = p", " end = len(b)"]
        if self.uses_budget:
            head.append(f" left = {ELEMENTS_MIN} + (end >> {ELEMENTS_PER_BYTE_SHIFT})")
        if self.has_records:
            head.append(" view = b if type(b) is memoryview else memoryview(b)")
        tail = [
            "  return o0, p",
            " except FAILURES as failure:",
            "  raise explain(b, begin, failure) from None",
            "",
        ]
        return "\n".join([*self.functions.values(), *head, " try:", *self.lines, *tail])

    # Writing lines

    def add(self, line: str) -> None:
        self.lines.append(" " * self.indent + line)

    def constant(self, prefix: str, value: object) -> str:
        for name, known in self.namespace.items():
            if known is value and name.startswith(prefix):
                return name
        name = f"{prefix}{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def unpacker(self, formats: str) -> str:
        name = "u_" + formats.replace("?", "t")
        if name not in self.namespace:
            self.namespace[name] = struct.Struct(">" + formats).unpack_from
        return name

    def read(self, format: str, target: str) -> None:
        """Queue a fixed-size value; neighbours are read together."""
        self.pending.append((format, target))

    def flush(self) -> None:
        """Write the call that reads what was queued."""
        if not self.pending:
            return
        formats = "".join(format for format, _ in self.pending)
        targets = ", ".join(target for _, target in self.pending)
        if formats == "B":
            self.add(f"{targets} = b[p]")
        elif formats == "?":
            self.add(f"{targets} = b[p] != 0")
        else:
            self.add(f"{targets}{',' if len(self.pending) == 1 else ''} = {self.unpacker(formats)}(b, p)")
        self.add(f"p += {struct.calcsize('>' + formats)}")
        self.pending = []

    # Structs

    def struct(self, target: str, cls: Any) -> None:
        self.add(f"{target} = new({self.constant('C_', cls)})")
        self.body(target, cls)

    def body(self, target: str, cls: Any) -> None:
        """Fill the slots of a new object."""
        if cls not in self.shared:
            self.fields(target, cls)
            return
        if cls not in self.functions:
            self.functions[cls] = self.function(cls)
        self.flush()
        self.uses_budget = True
        self.add(f"p, left = fill_{cls.__name__}({target}, b, p, end, left)")

    def function(self, cls: Any) -> str:
        """A function that fills an object of a shared struct."""
        outside = self.lines, self.indent, self.depth, self.nested_count, self.pending
        self.lines, self.indent, self.depth, self.nested_count, self.pending = [], 1, 0, 0, []
        self.fields("o", cls)
        self.flush()
        head = f"def fill_{cls.__name__}(o, b, p, end, left):"
        text = "\n".join([head, *self.lines, " return p, left", ""])
        self.lines, self.indent, self.depth, self.nested_count, self.pending = outside
        return text

    def fields(self, target: str, cls: Any) -> None:
        inline, tagged, absent = layout(cls, self.version)
        self.defaults(target, [*absent, *tagged])
        for field in inline:
            self.field(f"{target}.{field.name}", field)
        if self.flexible:
            self.read("B", "n")
            self.flush()
            self.tags(target, tagged)

    def defaults(self, target: str, fields: list[Field]) -> None:
        by_value: dict[str, list[str]] = {}
        for field in fields:
            default = field.default
            name = f"{target}.{field.name}"
            if isinstance(default, list):
                self.add(f"{name} = []")
                continue
            if field.kind == "struct" and default is not None:
                text = self.constant("D_", default)
            else:
                text = "ZERO_UUID" if field.kind == "uuid" else repr(default)
            by_value.setdefault(text, []).append(name)
        for text, names in by_value.items():
            self.add(f"{' = '.join(names)} = {text}")

    def tags(self, target: str, tagged: list[Field]) -> None:
        """The tagged section, whose first byte is in n: nearly always zero."""
        if not tagged:
            self.add("if n: p = skip_tags(b, p, n, end)")
            return
        self.add("if n:")
        self.indent += 1
        self.add("if n > 127: n, p = uvarint_rest(b, p, n)")
        self.depth += 1
        stop = f"t{self.depth}"
        self.add("for _ in range(n):")
        self.indent += 1
        self.add(f"tag, {stop}, p = tag_head(b, p, end)")
        for index, field in enumerate(tagged):
            self.add(f"{'elif' if index else 'if'} tag == {field.tag}:")
            self.indent += 1
            self.field(f"{target}.{field.name}", field)
            self.flush()
            self.add(f"if p != {stop}: raise BadEncoding")
            self.indent -= 1
        self.add(f"else: p = {stop}")
        self.indent -= 2
        self.depth -= 1

    # Fields

    def field(self, target: str, field: Field) -> None:
        nullable = self.version in field.nullable
        if field.kind in FIXED:
            self.read(FIXED[field.kind][0], target)
        elif field.kind == "struct":
            self.nested(target, field, nullable=nullable)
        elif field.kind != "array":
            self.sized(target, field.kind, nullable=nullable, compact=self.flexible and field.compact)
        elif element_kind(field) in FIXED:
            self.plain_array(target, element_kind(field), nullable=nullable)
        else:
            self.array(target, field, nullable=nullable)

    def nested(self, target: str, field: Field, *, nullable: bool) -> None:
        if nullable:
            self.read("b", "n")
            self.flush()
            # A tagged one says varint 0 in place of byte -1.
            self.add(f"if n < {0 if field.tag is None else 1}: {target} = None")
            self.add("else:")
            self.indent += 1
        self.nested_count += 1
        inner = f"s{self.nested_count}"
        self.struct(inner, field.element)
        if nullable:
            self.flush()
        self.add(f"{target} = {inner}")
        if nullable:
            self.indent -= 1

    def long_length(self, *, inline: bool) -> None:
        """The rest of a compact length of several bytes; of records, two are usual."""
        if not inline:
            self.add("if n > 127: n, p = uvarint_rest(b, p, n)")
            return
        self.add("if n > 127:")
        self.add(" m = b[p]")
        self.add(" if m < 128: n += (m << 7) - 128; p += 1")
        self.add(" else: n, p = uvarint_rest(b, p, n)")

    def sized(self, target: str, kind: str, *, nullable: bool, compact: bool) -> None:
        """A string, bytes or records."""
        if kind == "string" and compact and self.shared:
            self.flush()
            self.add(f"{target}, p = compact_string(b, p, end, {nullable})")
            return
        self.has_records |= kind == "records"
        self.read("B" if compact else "h" if kind == "string" else "i", "n")
        self.flush()
        if compact:
            self.long_length(inline=kind == "records")
        if nullable:
            self.add(f"if n {'== 0' if compact else '< 0'}: {target} = None")
            self.add("else:")
            self.indent += 1
        self.add(f"e = p + n{' - 1' if compact else ''}")
        checks = ["e > end"] if nullable else ["e < p", "e > end"]
        if kind == "string" and compact:
            checks.append(f"n > {STRING_SIZE_MAX + 1}")
        self.add(f"if {' or '.join(checks)}: raise BadEncoding")
        self.add(f"{target} = {_READ[kind]}")
        self.add("p = e")
        if nullable:
            self.indent -= 1

    def plain_array(self, target: str, kind: str, *, nullable: bool) -> None:
        """Numbers or uuids; short arrays, which most are, by a prepared call."""
        format, size = FIXED[kind]
        table = self.constant("table_", unpack_table(format))
        self.read("B" if self.flexible else "i", "n")
        self.flush()
        offset = 1 if self.flexible else 0
        self.add(f"if n == {offset}: {target} = []")
        self.add(f"elif {offset} < n < {offset + SHORT}:")
        self.add(f" {target} = [*{table}[n{' - 1' if offset else ''}](b, p)]")
        self.add(f" p += n * {size}{f' - {size}' if offset else ''}")
        self.add("else:")
        if self.flexible:
            self.add(" if n > 127: n, p = uvarint_rest(b, p, n)")
            self.add(" n -= 1")
        self.add(f" {target}, p = long_array(b, p, n, {format!r}, {size}, {nullable})")

    def array(self, target: str, field: Field, *, nullable: bool) -> None:
        """Structs, strings or bytes. Empty arrays and those of one element come first: most are."""
        self.read("B" if self.flexible else "i", "n")
        self.flush()
        self.depth += 1
        self.uses_budget = True
        items = f"a{self.depth}"
        one = 1 + self.flexible
        if self.flexible:
            self.long_length(inline=False)
        cls = field.struct
        if cls is not None:
            constant = self.constant("C_", cls)
            self.add(f"if n == {one}: {target} = {items} = [new({constant})]")
            self.add(f"elif n == {one - 1}: {target} = {items} = []")
        else:
            self.add(f"if n == {one - 1}: {target} = {items} = []; n = 0")
        if nullable:
            self.add(f"elif n {'== 0' if self.flexible else '< 0'}: {target} = None; {items} = (); n = 0")
        self.add("else:")
        if self.flexible:
            self.add(" n -= 1")
        self.add(" left -= n")
        size = element_size_min(field, self.version, flexible=self.flexible)
        checks = ["n < 0"] + [f"n * {size} > end - p"] * (size > 0) + ["left < 0"]
        self.add(f" if {' or '.join(checks)}: raise BadEncoding")
        self.add(f" {target} = {items} = {f'list(map(new, repeat({constant}, n)))' if cls else '[]'}")
        if cls is not None:
            self.add(f"for o{self.depth} in {items}:")
            self.indent += 1
            before = len(self.lines)
            self.body(f"o{self.depth}", cls)
            self.flush()
            if len(self.lines) == before:
                self.add("pass")
        else:
            self.add("for _ in range(n):")
            self.indent += 1
            self.sized("v", element_kind(field), nullable=False, compact=self.flexible)
            self.add(f"{items}.append(v)")
        self.indent -= 1
        self.depth -= 1
