"""The Grafana dashboard asks for what a server has; Prometheus itself carries its queries out."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from compat.story import wait_until
from tests.web.harness import HttpBroker

DASHBOARD = json.loads((Path(__file__).parents[2] / "monitoring/grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
_WORDS = {"by", "le"}


def metric_names(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    plain = re.sub(r'"[^"]*"', "", expression)
    plain = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby\s*\([^)]*\)", "", plain)
    return set(re.findall(r"\b[a-z_][\w:]*\b(?!\s*\()", plain)) - _WORDS


def test_names_are_found_in_expressions() -> None:
    expression = 'histogram_quantile(0.9, sum by (le) (rate(a_bucket{x="b{"}[5m]))) / on_total - 1e9'
    assert metric_names(expression) == {"a_bucket", "on_total"}


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_every_metric_is_there(used: HttpBroker, title: str, expression: str) -> None:
    exposed = {
        sample.name
        for family in text_string_to_metric_families(used.get("/metrics").text)
        for sample in family.samples
    }
    names = metric_names(expression)
    assert names, f"{title} reads nothing"
    assert names <= exposed


def test_panels_fit_the_grid_and_have_ids_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.fixture(scope="module")
def prometheus(used: HttpBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes the server each second; gives its address once it has done so a few times."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    given = Path(__file__).parents[2] / "monitoring/prometheus.yml"
    config = given.read_text().replace("127.0.0.1:9644", f"127.0.0.1:{used.port}").replace("5s", "1s")
    (folder / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _has_scraped(url), "Prometheus has scraped", timeout_s=60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _has_scraped(url: str) -> bool:
    try:
        result = query(url, "count_over_time(kafka_brokers[30s])")
    except OSError:
        return False
    return bool(result) and float(result[0]["value"][1]) >= 4


def query(url: str, expression: str) -> list[dict[str, Any]]:
    asked = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{url}/api/v1/query?{asked}", timeout=10) as response:
        answer = json.load(response)
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_prometheus_answers_every_panel(prometheus: str, title: str, expression: str) -> None:
    """Each panel shows something, as it would with the dashboard's variables at their default, All."""
    expression = expression.replace("$__rate_interval", "30s")
    expression = re.sub(r'"\$\w+"', '".*"', expression)
    assert query(prometheus, expression), title
