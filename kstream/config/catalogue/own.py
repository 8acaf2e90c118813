"""Keys that only kstream has."""

from __future__ import annotations

from kstream.config.catalogue.words import HONOURED, INT, READ_ONLY, STRING, at_least
from kstream.config.key import Key
from kstream.config.validators import NonEmpty, OneOf

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("kstream.cluster.id", STRING, None, NonEmpty(), READ_ONLY, HONOURED,
        "Cluster id of a new data directory (CLUSTER_ID in the environment); otherwise a random one."),
    Key("kstream.share.initialization.wait.ms", INT, "1000", at_least(0), READ_ONLY, HONOURED,
        "How long a heartbeat of a share group waits for partitions that it is the first to subscribe to, so"
        " that it brings them; with 0 they come with a later one, as in Kafka."),
    Key("kstream.validate.records", STRING, "auto", OneOf("auto", "full", "header"), READ_ONLY, HONOURED,
        "How produced batches are checked: full opens each and checks every record as Kafka does;"
        " header checks header and CRC; auto opens small ones and a connection's first."),
)
