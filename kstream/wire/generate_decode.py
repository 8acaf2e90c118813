"""From a declaration and a version to the source of one decode function.

The function is straight code for exactly that layout:

- Neighbouring fields of fixed size are read by one `struct` call, together with the length byte of whatever
  follows them, and land in their slots by tuple assignment.
- Every length is checked against the end before it is used, every count against the bytes that remain and the
  message's budget of elements.
- It does not keep track of where it is. When anything is wrong it hands over to the reference decoder
  (`kstream.wire.reference`), which reads the same bytes again, slowly, and says which field was at fault.
"""

from __future__ import annotations

import struct
from typing import Any

from kstream.wire.fields import Field
from kstream.wire.plan import FIXED, STRING_SIZE_MAX, cost_shift, element_kind, element_size_min, layout


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
        self.struct("o0", cls)
        self.flush()

    def source(self, name: str) -> str:
        head = [f"def {name}(b, p=0):", " begin = p", " end = len(b)"]
        if self.uses_budget:
            head.append(" left = elements_max(end)")
        return "\n".join(
            [
                *head,
                " try:",
                *self.lines,
                "  return o0, p",
                " except FAILURES as failure:",
                "  raise explain(b, begin, failure) from None",
                "",
            ]
        )

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
        if not self.pending:
            return
        formats = "".join(format for format, _ in self.pending)
        targets = ", ".join(target for _, target in self.pending)
        size = struct.calcsize(">" + formats)
        if formats == "B":
            self.add(f"{targets} = b[p]")
        elif formats == "?":
            self.add(f"{targets} = b[p] != 0")
        else:
            self.add(f"{targets}{',' if len(self.pending) == 1 else ''} = {self.unpacker(formats)}(b, p)")
        self.add(f"p += {size}")
        self.pending = []

    # Structs

    def struct(self, target: str, cls: Any) -> None:
        self.add(f"{target} = new({self.constant('C_', cls)})")
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
            elif field.kind == "float64":
                text = f"{default!r}"
            else:
                text = "ZERO_UUID" if field.kind == "uuid" else repr(default)
            by_value.setdefault(text, []).append(name)
        for text, names in by_value.items():
            self.add(f"{' = '.join(names)} = {text}")

    def tags(self, target: str, tagged: list[Field]) -> None:
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
        elif field.kind == "array":
            self.array(target, field, nullable=nullable)
        else:
            self.sized(target, field.kind, nullable=nullable, compact=self.flexible and field.compact)

    def nested(self, target: str, field: Field, *, nullable: bool) -> None:
        if nullable:
            self.read("b", "n")
            self.flush()
            self.add(f"if n < 0: {target} = None")
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

    def length(self, *, wide: bool, compact: bool) -> None:
        """Read a length or count into n; compact ones still offset by one."""
        self.read("B" if compact else "i" if wide else "h", "n")
        self.flush()
        if compact:
            self.add("if n > 127: n, p = uvarint_rest(b, p, n)")

    def sized(self, target: str, kind: str, *, nullable: bool, compact: bool) -> None:
        """A string, bytes or records."""
        self.length(wide=kind != "string", compact=compact)
        value = {"string": "str(b[p:e], 'utf-8')", "bytes": "bytes(b[p:e])", "records": "memoryview(b)[p:e]"}[
            kind
        ]
        if nullable:
            self.add(f"if n {'== 0' if compact else '< 0'}: {target} = None")
            self.add("else:")
            self.indent += 1
        self.add(f"e = p + n{' - 1' if compact else ''}")
        checks = ["e > end"] if nullable else ["e < p", "e > end"]
        if kind == "string" and compact:
            checks.append(f"n > {STRING_SIZE_MAX + 1}")
        self.add(f"if {' or '.join(checks)}: raise BadEncoding")
        self.add(f"{target} = {value}")
        self.add("p = e")
        if nullable:
            self.indent -= 1

    def array(self, target: str, field: Field, *, nullable: bool) -> None:
        self.length(wide=True, compact=self.flexible)
        if self.flexible:
            self.add("n -= 1")
        if nullable:
            self.add(f"if n < 0: {target} = None")
            self.add("else:")
            self.indent += 1
        self.uses_budget = True
        kind = element_kind(field)
        shift = cost_shift(field)
        size = element_size_min(field, self.version, flexible=self.flexible)
        self.add(f"left -= n >> {shift}" if shift else "left -= n")
        checks = ([] if nullable else ["n < 0"]) + [f"n * {size} > end - p"] * (size > 0) + ["left < 0"]
        self.add(f"if {' or '.join(checks)}: raise BadEncoding")
        if kind in FIXED:
            self.add(f"e = p + n * {size}")
            if kind == "uuid":
                self.add(f"{target} = [bytes(b[q:q + 16]) for q in range(p, e, 16)]")
            else:
                self.add(f"{target} = list(unpack(f'>{{n}}{FIXED[kind][0]}', b, p))")
            self.add("p = e")
        else:
            self.elements(target, field, kind)
        if nullable:
            self.indent -= 1

    def elements(self, target: str, field: Field, kind: str) -> None:
        self.depth += 1
        items = f"a{self.depth}"
        self.add(f"{target} = {items} = []")
        self.add("for _ in range(n):")
        self.indent += 1
        if kind == "struct":
            inner = f"o{self.depth}"
            self.struct(inner, field.element)
            self.flush()
            self.add(f"{items}.append({inner})")
        else:
            self.sized("v", kind, nullable=False, compact=self.flexible)
            self.add(f"{items}.append(v)")
        self.indent -= 1
        self.depth -= 1
