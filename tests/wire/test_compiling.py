"""Codecs are compiled at first use, quickly, and never at import."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from kstream.wire.codec import appender, decoder, source
from kstream.wire.generate_decode import DecodeWriter
from kstream.wire.generate_encode import EncodeWriter
from kstream.wire.messages.produce import ProduceRequest
from tests.wire.catalogue import MESSAGES


def test_nothing_is_compiled_at_import() -> None:
    program = """
import sys
from kstream.wire import codec
from kstream.wire.apis import APIS
assert not [name for name in sys.modules if name.startswith("kstream.wire.messages.")]
for api in APIS.values():
    api.request, api.response
assert len([name for name in sys.modules if name.startswith("kstream.wire.messages.")]) == len(APIS)
sys.exit(len(codec._decoders) + len(codec._encoders) + len(codec._appenders))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_compiling_is_quick() -> None:
    """About 2 ms of processor time at most on an idle machine; the bounds leave room for a busy one."""
    times = []
    for cls in MESSAGES:
        for writer in (DecodeWriter, EncodeWriter):
            started = time.thread_time()
            compile(writer(cls, cls.VERSIONS.last).source("function"), "<test>", "exec")
            times.append(time.thread_time() - started)
    assert median(times) < 0.003
    assert max(times) < 0.025


def test_functions_are_kept() -> None:
    assert decoder(ProduceRequest, 9) is decoder(ProduceRequest, 9)
    assert decoder(ProduceRequest, 9) is not decoder(ProduceRequest, 10)
    assert appender(ProduceRequest, 9) is appender(ProduceRequest, 9)
    assert source(ProduceRequest, 9) != source(ProduceRequest, 3)
