"""What commands print: tables for people, JSON for machines, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, for machines.")]

Row = Mapping[str, Any]

TASK = TaskID(0)


def print_json(value: Any) -> None:
    """On a terminal readable, in a pipe one line."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def print_rows(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, none: str) -> None:
    """Rows as a table with these columns, or as a JSON list with all they have; without any, `none`."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print(none, file=sys.stderr)
        return
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(_text(row.get(column)) for column in columns))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    Console().print(table)


def print_fields(fields: Row, *, as_json: bool) -> None:
    """One thing's fields, one a line."""
    if as_json:
        print_json(fields)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Progress | None]:
    """A bar on standard error while the block runs; None unless a person is there to see it. Its task is
    `TASK`, with a field `note` for a few words.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(label, total=total, note="")
        yield progress


def say(text: str) -> None:
    """Tell the person, not the pipe."""
    print(text, file=sys.stderr)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(_text(each) for each in value)
    return str(value)
