"""Properties files are read as Java reads them."""

from __future__ import annotations

import pytest

from kstream.config.errors import ConfigError
from kstream.config.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# a comment\n! another\n\n   # indented\n", {}),
        ("a=1\nb:2\nc 3\n", {"a": "1", "b": "2", "c": "3"}),
        ("  a  =  1  \nb\t:\t2", {"a": "1", "b": "2"}),
        ("a = b=c:d e", {"a": "b=c:d e"}),
        ("a\nb=\nc:", {"a": "", "b": "", "c": ""}),
        ("a==1", {"a": "=1"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=one,\\\n    two,\\\n    three\nb=4", {"a": "one,two,three", "b": "4"}),
        ("a=1 # not a comment", {"a": "1 # not a comment"}),
        ("a=1\\\n# joined", {"a": "1# joined"}),
        ("a=1\\", {"a": "1"}),
        ("a=c:\\\\x\\ty\\nz", {"a": "c:\\x\ty\nz"}),
        ("a=\\\\\nb=2", {"a": "\\", "b": "2"}),
        ("a\\=b\\ c\\:d=1", {"a=b c:d": "1"}),
        ("a=\\u00e9\\q", {"a": "éq"}),
        ("a=1\na=2", {"a": "2"}),
    ],
)
def test_parse(text: str, values: dict[str, str]) -> None:
    assert parse_properties(text) == values


@pytest.mark.parametrize("escape", ["\\u12", "\\uzzzz", "\\u"])
def test_a_bad_escape_names_its_line(escape: str) -> None:
    with pytest.raises(ConfigError, match=r"^line 3: "):
        parse_properties(f"a=1\n# comment\nb={escape}\n")
