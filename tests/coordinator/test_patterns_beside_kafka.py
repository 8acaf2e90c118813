r"""RE2 and RE2/J, which Kafka uses: the same patterns are valid, and match the same names.

They differ at the edges. RE2 knows `\C` and newer scripts, takes `x{?` for a literal brace and one name for
two groups, and takes no backslash before an accented letter. It refuses repetitions of repetitions beyond
1,000 in all; RE2/J counts each for itself.
"""

from __future__ import annotations

import base64
import random
import subprocess
from pathlib import Path

import pytest

from compat.kafka_jars import KafkaUnavailable, java, kafka_jars
from kstream.coordinator.patterns import compile_pattern
from kstream.errors import ApiError

pytestmark = pytest.mark.java

TEXTS = [
    *(
        "",
        "a",
        "b",
        "ab",
        "aab",
        "aabb",
        "a.b",
        "a-b",
        "topic-1",
        "Topic_2",
        "TOPIC-1",
        "1",
        "x{,2}",
        "]a",
        "k",
    ),
    *("é", "É", "\U0001f600", "\u212a", "Σ", "ς", "٣", "a\n", "a\nb", "-", "^", "\\", "__consumer_offsets"),
]
PATTERNS = Path(__file__).with_name("patterns.txt").read_text().splitlines()
PIECES = [
    *(
        "a",
        "b",
        ".",
        r"\w",
        r"\d",
        r"\b",
        "[ab]",
        "[^a]",
        "(",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{1,2}",
        "^",
        "$",
    ),
    *("(?i)", "(?:", r"\pL", r"\.", "é", "[", "]", "-", "{,3}", r"\Q", r"\E", "\U0001f600"),
]


def ours(pattern: str) -> str:
    try:
        matches = compile_pattern(pattern)
    except ApiError:
        return "invalid"
    return "".join("01"[matches(text)] for text in TEXTS)


def test_patterns_mean_the_same() -> None:
    draw = random.Random(11)
    spelled = ("".join(draw.choices(PIECES, k=draw.randint(1, 8))) for _ in range(10_000))
    patterns = [*PATTERNS, *spelled]
    lines = [
        " ".join(base64.b64encode(text.encode()).decode() for text in (pattern, *TEXTS))
        for pattern in patterns
    ]
    source = Path(__file__).with_name("Patterns.java")
    try:
        command = [java(), "-cp", f"{kafka_jars()}/*", str(source)]
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    theirs = dict(zip(patterns, done.stdout.splitlines(), strict=True))
    assert {pattern: ours(pattern) for pattern in patterns} == theirs
