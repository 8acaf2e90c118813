"""ApiVersions."""

from __future__ import annotations

from compat.oracle.run import Run, scenario
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse

_VERSIONS = range(6)


def _without_lists(answer: ApiVersionsResponse) -> None:
    """What is advertised is recorded by one scenario; the others record whether."""
    answer.api_keys = answer.api_keys[:1]
    answer.supported_features = []
    answer.finalized_features = []


@scenario
def api_versions(run: Run) -> None:
    """What is advertised, in every version."""
    for version in _VERSIONS:
        request = ApiVersionsRequest()
        if version >= 3:
            request = ApiVersionsRequest(client_software_name="oracle", client_software_version="1.0")
        run.call("all", request, version)


@scenario
def api_versions_software_names(run: Run) -> None:
    """Client software names that are well-formed, and those that are not (KIP-511)."""
    names = [
        "a",
        "apache-kafka-java",
        "a.b-c",
        "A1",
        "",
        "-a",
        "a-",
        ".",
        "a b",
        "a_b",
        "ä",
        "a" * 300,
        "a\n",
    ]
    for version in range(3, 6):
        for name in names:
            request = ApiVersionsRequest(client_software_name=name, client_software_version="1.0")
            run.call(f"name {name[:20]!r} of {len(name)}", request, version, trim=_without_lists)
            request = ApiVersionsRequest(client_software_name="oracle", client_software_version=name)
            run.call(f"software version {name[:20]!r} of {len(name)}", request, version, trim=_without_lists)


@scenario
def api_versions_cluster_and_node(run: Run) -> None:
    """Version 5 names the cluster and the node that the client thinks it talks to (KIP-1242)."""
    for cluster_id in (None, "", "somewhere-else", run.cluster_id):
        for node_id in (-1, 0, 1, 7, -2):
            request = ApiVersionsRequest(
                client_software_name="oracle",
                client_software_version="1",
                cluster_id=cluster_id,
                node_id=node_id,
            )
            name = "its own" if cluster_id == run.cluster_id else repr(cluster_id)
            run.call(f"cluster {name} node {node_id}", request, 5, trim=_without_lists)
