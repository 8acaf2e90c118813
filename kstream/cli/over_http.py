"""Asking a kstream server over HTTP (`kstream serve --http`): what Kafka's protocol has no request for."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from kstream.replay.errors import NoAnswer, Refused, ReplayError

DEFAULT_HTTP = "127.0.0.1:9644"
_ASK_S = 10.0


@Parameter(name="*")
@dataclass
class HttpServer:
    """Where the server's HTTP side is."""

    http: Annotated[
        str,
        Parameter(
            env_var="KSTREAM_HTTP",
            help="Where the server offers HTTP: HOST:PORT, or a URL.",
            show_default=True,
        ),
    ] = DEFAULT_HTTP
    token: Annotated[
        str | None, Parameter(name="--http-token", env_var="KSTREAM_HTTP_TOKEN", help="The server's token.")
    ] = None

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON, None if it has none.

        Raises:
            NoAnswer: nobody answers there.
            ReplayError: what was asked makes no sense; Refused: it is not there, or may not be.
        """
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        base = self.http if "://" in self.http else f"http://{self.http}"
        request = urllib.request.Request(f"{base.rstrip('/')}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_ASK_S) as response:
                answered = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise (ReplayError if error.code == 400 else Refused)(_reason(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NoAnswer(
                self.http, f"{reason}; HTTP is there after kstream serve --http {self.http}"
            ) from None
        return json.loads(answered) if answered else None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, OSError):
        return f"the server answered {error.code} {error.reason}"
