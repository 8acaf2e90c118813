"""Who may drive the server over HTTP.

A server on a laptop is reachable by every page in the browser of whoever runs it, and what is offered here
can delete topics. So:

- Host must name this machine, unless a token is asked for: a page whose own name was made to point to
  127.0.0.1 (DNS rebinding) sends that name.
- Origin, which browsers send with everything that changes something, must be the server's own.
- Where others than this machine can connect, every request brings a token, except those of probes.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from kstream.config.errors import ConfigError

_NAMES = frozenset({"localhost", "ip6-localhost"})


class Denied(Exception):
    """A request that is not carried out. `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Access:
    """The rules for one server."""

    def __init__(self, bound_host: str, token: str | None) -> None:
        """`bound_host` is the address that was bound.

        Raises:
            ConfigError: there must be a token, or a longer one.
        """
        if token is not None and len(token) < 8:
            raise ConfigError("the token for HTTP has fewer than 8 characters: take a long random one")
        if token is None and not _is_loopback(bound_host):
            raise ConfigError(
                f"--http {bound_host}: others than this machine could drive the server there: give a token,"
                " --http-token TOKEN or KSTREAM_HTTP_TOKEN, or listen on 127.0.0.1"
            )
        self._bound_host = bound_host
        self._token = None if token is None else token.encode()

    def check(self, headers: Mapping[str, str], *, is_open: bool) -> None:
        """Let a request pass. `is_open` says that it needs no token.

        Raises Denied.
        """
        host = headers.get("host", "")
        if self._token is None and not self._is_ours(host):
            raise Denied(421, f"the Host {host!r} is not this server: ask for 127.0.0.1 or localhost")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Denied(403, f"a page of {origin!r} may not drive this server")
        if origin is None and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Denied(403, "a page of another site may not ask this server")
        if self._token is not None and not is_open:
            self._check_token(headers.get("authorization", ""))

    def _check_token(self, authorization: str) -> None:
        assert self._token is not None
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            raise Denied(401, "this server wants its token: Authorization: Bearer TOKEN")

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine; the port may be one that was mapped to ours."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and (name in _NAMES or name == self._bound_host or _is_loopback(name))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
