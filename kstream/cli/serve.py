"""`kstream serve`: from options to a running server and its end."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kstream.cli.arguments import Options
from kstream.cli.banner import banner, wants_colours
from kstream.cli.beside import Beside, open_beside
from kstream.cli.crashing import EPHEMERAL_DIR, crashes
from kstream.cli.logs import set_up
from kstream.cli.recovery_bar import show_recovery
from kstream.cli.signals import Stop
from kstream.config.broker import BrokerConfig
from kstream.config.errors import ConfigError
from kstream.config.listeners import host_port, split_host_port
from kstream.config.load import Given, Note, load
from kstream.errors import KstreamError

if TYPE_CHECKING:
    from kstream.broker.broker import Broker

log = logging.getLogger(__name__)


class Server(Protocol):
    """What `kstream.server.serve` is."""

    def __call__(
        self,
        config: BrokerConfig,
        data_dir: Path,
        *,
        ready: Callable[[list[str]], None],
        topics: Sequence[tuple[str, int | None]],
        **beside: Any,
    ) -> Awaitable[None]: ...


OK = 0
MISTAKE = 2

_SWITCH_INTERVAL_S = 0.0002
"""How long a thread that computes (checking large batches) keeps the interpreter from the event loop, which
lets go of it at every system call. With Python's 5 ms a request beside such a thread took 5.7 ms, with this
0.1 ms.
"""

_GC_THRESHOLD = 10_000
"""With Python's 700, a turn of the event loop with some hundred requests began a collection, though next to
nothing here is part of a cycle: a tenth of the time with 1,000 busy connections.
"""

_STOP_S_MAX = 4.7
"""Whoever started the server waits 5 s for its end. A disk that takes longer is not waited for: what was
acknowledged is in the page cache, and the next start checks what was not closed.
"""


def run(options: Options, *, server: Server | None = None) -> int:
    """Serve until told to stop; returns the exit code. What a user can put right is one line on stderr.

    `server` stands in for `kstream.server.serve` in tests.
    """
    started_s = _process_start_s()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    stop = Stop(stop_s_max=_STOP_S_MAX)
    stop.install()
    has_colours = wants_colours(sys.stderr)
    set_up(options.log_level, has_colours=has_colours, as_json=options.log_format == "json")
    data_dir: Path | None = None
    try:
        data_dir = _ephemeral_dir() if options.ephemeral else None
        if data_dir is not None:
            stop.on_exit_now(partial(_remove, data_dir))
        config, notes = configure(options, data_dir)
        _say(notes)
        with open_beside(options) as beside:
            ready = partial(
                _ready,
                config=config,
                is_ephemeral=options.ephemeral,
                started_s=started_s,
                has_colours=has_colours,
                http=beside.http,
            )
            _serve(config, ready, options, stop, server, beside, data_dir)
    except KstreamError as error:
        print(f"kstream: {error}", file=sys.stderr)
        return MISTAKE
    finally:
        if data_dir is not None:
            _remove(data_dir)
        stop.has_stopped()
    return OK


def configure(options: Options, ephemeral_dir: Path | None) -> tuple[BrokerConfig, list[Note]]:
    """The configuration that options, environment and file make, and what there is to say about it."""
    file = Path(options.config) if options.config is not None else None
    flags = _flags(options, ephemeral_dir)
    names = {flag.text.partition("=")[0] for flag in flags}
    for setting in options.settings:
        name = setting.partition("=")[0].strip()
        if name in names:
            raise ConfigError(f"--set {name} and a flag both give {name}: leave one of them out")
    return load(file=file, environment=os.environ, settings=[*options.settings, *flags])


def _flags(options: Options, ephemeral_dir: Path | None) -> list[Given]:
    """Flags as the settings they stand for."""
    flags: list[Given] = []
    data = options.data if ephemeral_dir is None else str(ephemeral_dir)
    if data is not None:
        flags.append(Given(f"log.dirs={data}", f"--data {data}"))
    name = "PLAINTEXT"
    if options.listen is not None:
        text = options.listen
        if "://" not in text:
            text = f"{name}://{host_port(*split_host_port(text, flag='--listen'))}"
        flags.append(Given(f"listeners={text}", f"--listen {options.listen}"))
    if options.advertise is not None:
        text = options.advertise
        if "://" not in text:
            text = f"{name}://{host_port(*split_host_port(text, flag='--advertise'))}"
        flags.append(Given(f"advertised.listeners={text}", f"--advertise {options.advertise}"))
    return flags


def _serve(
    config: BrokerConfig,
    ready: Callable[[list[str], Path], None],
    options: Options,
    stop: Stop,
    server: Server | None,
    beside: Beside,
    ephemeral_dir: Path | None,
) -> None:
    import trio

    data_dir = Path(config.log_dirs[0])
    if server is None:
        from kstream.server import serve as kstream_server

        can_crash = crashes(sys.argv[1:], ephemeral_dir=ephemeral_dir, http=beside.http)

        def opened(broker: Broker) -> None:
            show_recovery(broker)
            can_crash(broker)
            broker.trace_path = None if options.trace is None else Path(options.trace)

        server = partial(kstream_server, opened=opened)
    run_server: Server = server

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as scope:
            stop.on_stop(lambda: token.run_sync_soon(scope.cancel))
            await run_server(
                config,
                data_dir,
                ready=lambda addresses: ready(addresses, data_dir),
                topics=options.topics,
                **beside.arguments,
            )

    trio.run(main, clock=beside.clock)
    log.info("stopped")


def _ready(
    addresses: list[str],
    data_dir: Path,
    *,
    config: BrokerConfig,
    is_ephemeral: bool,
    started_s: float,
    has_colours: bool,
    http: str | None,
) -> None:
    """Tell the person, then whoever waits for the line on standard output."""
    # What was imported and replayed stays: the collector need never look at it again, which would stop every
    # connection for 10 ms. Here, since a process that is not ours alone has garbage of its own.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    advertised = config.advertised_listeners
    text = banner(
        addresses,
        data_dir.absolute(),
        advertised=host_port(advertised[0].host, advertised[0].port) if advertised else None,
        is_ephemeral=is_ephemeral,
        http=http,
        start_s=_since_boot_s() - started_s,
        has_colours=has_colours,
    )
    for stream, line in ((sys.stderr, text), (sys.stdout, f"kstream ready {','.join(addresses)}")):
        try:
            print(line, file=stream, flush=True)
        except OSError as error:  # nobody reads it, which is no reason not to serve
            log.warning("cannot write to %s: %s", stream.name, error.strerror)
            with open(os.devnull, "w") as nothing:  # so that what is still in the buffer fails no later flush
                os.dup2(nothing.fileno(), stream.fileno())


def _say(notes: Sequence[Note]) -> None:
    for note in notes:
        log.log(logging.WARNING if note.is_warning else logging.INFO, "%s", note.text)


def _ephemeral_dir() -> Path:
    import tempfile

    kept = os.environ.pop(EPHEMERAL_DIR, None)
    if kept is not None:
        return Path(kept)

    try:
        return Path(tempfile.mkdtemp(prefix="kstream-"))
    except OSError as error:
        raise ConfigError(
            f"--ephemeral: no temporary folder: {error.strerror}; set TMPDIR to a writable one"
        ) from error


def _remove(data_dir: Path) -> None:
    """Remove the temporary folder, again if a thread that is still closing files adds one meanwhile."""
    for _ in range(3):
        shutil.rmtree(data_dir, ignore_errors=True)
        if not data_dir.exists():
            return


def _process_start_s() -> float:
    """When the process began, on the clock since boot: a person waits for Python's own start too."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:  # not Linux: nearly all of the time until here was spent computing
        return _since_boot_s() - time.process_time()


def _since_boot_s() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
