"""`kstream cluster`."""

from __future__ import annotations

from cyclopts import App

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_fields, print_rows

app = App(name="cluster", help="Who is there: brokers, controller, counts.")


@app.default
def describe(*, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """Describe the cluster: its id, brokers and controller, and how many topics and partitions it has."""
    cluster = cluster or Cluster()
    admin = cluster.admin()
    found = cluster.ask(admin.describe_cluster(), "describe the cluster")
    topics = cluster.topics(admin)
    brokers = [
        {"broker": node.id, "address": f"{node.host}:{node.port}", "rack": node.rack} for node in found.nodes
    ]
    fields = {
        "cluster_id": found.cluster_id,
        "controller": found.controller.id if found.controller else None,
        "topics": sum(not name.startswith("__") for name in topics),
        "partitions": sum(count for name, count in topics.items() if not name.startswith("__")),
    }
    print_fields({**fields, "brokers": brokers} if as_json else fields, as_json=as_json)
    if not as_json:
        print_rows(brokers, ["broker", "address", "rack"], as_json=False, none="no brokers")
