"""Asking a server that serves `--http`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from kstream.replay.errors import NoAnswer, Refused, ReplayError

_ASK_S = 15


@Parameter(name="*")
@dataclass
class HttpPort:
    """Where `kstream serve --http` listens."""

    http: Annotated[
        str,
        Parameter(env_var="KSTREAM_HTTP", help="HOST:PORT that kstream serve --http has.", show_default=True),
    ] = "127.0.0.1:9644"
    http_token: Annotated[
        str | None, Parameter(env_var="KSTREAM_HTTP_TOKEN", help="The token, if the server has one.")
    ] = None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON, None if it has none.

        Raises:
            NoAnswer: nobody answers there.
            ReplayError: what was asked cannot be; Refused: it may not be.
        """
        headers = {"Content-Type": "application/json"}
        if self.http_token:
            headers["Authorization"] = f"Bearer {self.http_token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.http}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_ASK_S) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                told = _told(error.read()) or f"HTTP {error.code}"
            raise (Refused if error.code in (401, 403) else ReplayError)(told) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(self.http, f"{reason}; is it served? kstream serve --http {self.http}") from None
        return json.loads(content) if content else None


def _told(content: bytes) -> str | None:
    """What the server says of an error."""
    try:
        said = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace") or None
    return str(said.get("message") or said.get("error") or said) if isinstance(said, dict) else str(said)
