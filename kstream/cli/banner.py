"""What a person reads at start, on standard error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from kstream import __version__
from kstream.config.listeners import host_port, split_host_port


def wants_colours(stream: TextIO) -> bool:
    """Whether escape sequences are welcome: on a terminal, unless NO_COLOR (no-color.org) is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def banner(
    addresses: Sequence[str],
    data_dir: Path,
    *,
    advertised: str | None = None,
    http: str | None = None,
    is_ephemeral: bool,
    start_s: float,
    has_colours: bool,
) -> str:
    """Where the server listens, where the data is, and one line to copy; several lines, without the last
    newline.
    """
    bold, dim, reset = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if has_colours else ("", "", "")
    fate = "removed at exit" if is_ephemeral else "kept"
    rows = [
        ("listening", ", ".join(addresses)),
        ("data", f"{data_dir} ({fate})"),
        ("try", f"echo hello | kcat -P -b {advertised or reachable(addresses[0])} -t greetings"),
    ]
    if http:
        rows.insert(1, ("http", f"http://{http}/openapi.json"))
    if advertised:
        rows.insert(1, ("advertised", advertised))
    lines = [
        f"{bold}kstream {__version__}{reset}{dim} is ready after {start_s:.2f} s; Ctrl-C stops it{reset}"
    ]
    lines += [f"  {dim}{label:<11}{reset}{text}" for label, text in rows]
    return "\n".join(lines)


def reachable(address: str) -> str:
    """An address that a client on this machine can connect to, where the server listens on every
    interface.
    """
    host, port = split_host_port(address, flag="address")
    return host_port({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)
