"""Checks on broker configuration that a client changes while the broker runs (KIP-226)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kstream.config.broker import BrokerConfig
from kstream.config.catalogue import broker_keys
from kstream.config.errors import ConfigError
from kstream.config.key import Key, Scope, Support


def validate_broker_configs(config: BrokerConfig, configs: Mapping[str, str], *, is_default: bool) -> None:
    """Check the whole set of values that a broker resource would hold.

    `is_default` tells the cluster-wide default from one broker's. Keys nobody knows pass, as in Kafka. Raises
    ConfigError, which Kafka answers with INVALID_REQUEST: a key that only a restart changes, a key that needs
    a broker's id, an invalid value, or values that contradict each other or those of the other layers.
    """
    keys = broker_keys()
    known = [keys[name] for name in configs if name in keys]
    _reject("Cannot update these configs dynamically", (key for key in known if key.is_read_only))
    if is_default:
        _reject(
            "Cannot update these configs at default cluster level, broker id must be specified",
            (key for key in known if key.scope is Scope.PER_BROKER),
        )
    _reject(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        (key for key in known if key.name in _ONLY_PER_LISTENER),
    )
    _reject("kstream changes these configs only at a restart", (key for key in known if key.name in _FIXED))
    for key in known:
        key.parse(configs[key.name])
        if key.support is Support.REFUSED:
            raise ConfigError(f"kstream cannot honour {key.name}: {key.note}")
    trial = BrokerConfig(config.static)
    if is_default:
        trial.set_dynamic(broker=config.dynamic_broker, default=configs)
    else:
        trial.set_dynamic(broker=configs, default=config.dynamic_default)
    _check_cleaner_threads(config.log_cleaner_threads, trial.log_cleaner_threads)


def _check_cleaner_threads(now: int, wanted: int) -> None:
    """Kafka changes their number by a factor of two at most."""
    if wanted < now // 2:
        reason = f"cannot be reduced to less than half the current value {now}"
    elif wanted > now * 2:
        reason = f"cannot be increased to more than double the current value {now}"
    else:
        return
    raise ConfigError(f"Log cleaner threads {reason}")


# Kafka opens and closes listeners while it runs (KIP-226).
_FIXED = frozenset({"listener.security.protocol.map", "listeners"})

_ONLY_PER_LISTENER = frozenset(
    {
        "ssl.key.password",
        "ssl.keystore.certificate.chain",
        "ssl.keystore.key",
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.keystore.type",
        "ssl.truststore.certificates",
        "ssl.truststore.location",
        "ssl.truststore.password",
        "ssl.truststore.type",
    }
)


def _reject(reason: str, keys: Iterable[Key]) -> None:
    names = sorted(key.name for key in keys)
    if names:
        raise ConfigError(f"{reason}: [{', '.join(names)}]")
