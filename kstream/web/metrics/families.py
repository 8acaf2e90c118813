"""Building metrics: one family for each name, with its help, and a bound on how many series it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import Metric

from kstream.broker.stats import BOUNDS_S, Timings

QUANTILES = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)
"""Those that Kafka's own histograms have."""


class Families:
    """The metrics of one scrape."""

    def __init__(self) -> None:
        self._by_name: dict[str, Metric] = {}

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks a collector."""
        return self._by_name.values()

    def gauge(self, name: str, help_text: str, value: float, **labels: str) -> None:
        self._family(name, help_text, "gauge").add_sample(name, labels, value)

    def counter(self, name: str, help_text: str, value: float, **labels: str) -> None:
        """`name` ends with `_total`."""
        family = self._family(name.removesuffix("_total"), help_text, "counter")
        family.add_sample(name, labels, value)

    def summary(
        self, name: str, help_text: str, timings: Sequence[Timings], *, scale: float = 1000.0, **labels: str
    ) -> None:
        """Quantiles over the most recent times of all `timings`, in milliseconds unless `scale` says else."""
        family = self._family(name, help_text, "summary")
        recent_s = sorted(each for one in timings for each in one.recent_s())
        if recent_s:
            for quantile in QUANTILES:
                place = min(int(quantile * len(recent_s)), len(recent_s) - 1)
                shown = {**labels, "quantile": f"{quantile:.3f}" if quantile > 0.99 else f"{quantile:.2f}"}
                family.add_sample(name, shown, recent_s[place] * scale)
        family.add_sample(f"{name}_count", labels, sum(each.count for each in timings))
        family.add_sample(f"{name}_sum", labels, sum(each.total_s for each in timings) * scale)

    def histogram(self, name: str, help_text: str, timings: Sequence[Timings], **labels: str) -> None:
        """Seconds."""
        family = self._family(name, help_text, "histogram")
        counts = [sum(column) for column in zip(*(each.histogram() for each in timings), strict=True)]
        for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], counts, strict=True):
            family.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
        family.add_sample(f"{name}_count", labels, counts[-1])
        family.add_sample(f"{name}_sum", labels, sum(each.total_s for each in timings))

    def _family(self, name: str, help_text: str, kind: str) -> Metric:
        family = self._by_name.get(name)
        if family is None:
            family = self._by_name[name] = Metric(name, help_text, kind)
        return family
