"""Which cluster a command works with, and asking it things."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from cyclopts import Parameter

from kstream.replay.errors import NoAnswer, Refused, ReplayError
from kstream.replay.reaching import check_reachable

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
_ASK_S = 15.0
_NOBODY = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._WAIT_COORD,
}

Result = TypeVar("Result")


@Parameter(name="*")
@dataclass
class Cluster:
    """Where the cluster is."""

    bootstrap: Annotated[
        str, Parameter(env_var="KSTREAM_BOOTSTRAP", help="Server to ask first, HOST:PORT.", show_default=True)
    ] = DEFAULT_BOOTSTRAP
    client: Annotated[
        list[str],
        Parameter(
            name=["--client", "-X"],
            help="A setting of librdkafka, KEY=VALUE, such as security.protocol=SSL; may be repeated.",
        ),
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._admin: AdminClient | None = None

    def settings(self) -> dict[str, Any]:
        """The client library's settings besides the address. Raises `ReplayError`."""
        settings: dict[str, Any] = {}
        for text in self.client:
            key, equals, value = text.partition("=")
            if not equals:
                raise ReplayError(f"--client {text}: write KEY=VALUE")
            settings[key] = value
        return settings

    def admin(self) -> AdminClient:
        """The admin client, kept: one that is let go of leaves its answers open for ever."""
        if self._admin is None:
            check_reachable(self.bootstrap, self.settings())
            try:
                self._admin = AdminClient(
                    {"bootstrap.servers": self.bootstrap, "log_level": 0, **self.settings()}
                )
            except KafkaException as error:
                raise ReplayError(error.args[0].str()) from None
        return self._admin

    def ask(self, future: Future[Result], what: str) -> Result:
        """The answer that an admin call promised. Raises `NoAnswer`, `Refused`."""
        try:
            return future.result(_ASK_S + 5)
        except KafkaException as error:
            raise self.failure(error, what) from None
        except TimeoutError:
            raise NoAnswer(self.bootstrap, f"it took too long to {what}") from None

    def failure(self, error: KafkaException, what: str) -> ReplayError:
        """What the library raised, as something to tell a person who wanted `what`."""
        reason: KafkaError = error.args[0]
        if reason.code() in _NOBODY:
            return NoAnswer(self.bootstrap, reason.str())
        return Refused(f"cannot {what}: {reason.str()}")

    def topics(self, admin: AdminClient, *, with_internal: bool = True) -> Mapping[str, int]:
        """Names of topics and how many partitions they have, sorted. Raises `NoAnswer`."""
        try:
            found = admin.list_topics(timeout=_ASK_S).topics
        except KafkaException as error:
            raise self.failure(error, "list topics") from None
        return {
            name: len(topic.partitions)
            for name, topic in sorted(found.items())
            if with_internal or not name.startswith("__")
        }
