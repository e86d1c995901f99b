"""Reads the metrics of a server with Prometheus's own parser, which refuses what the OpenMetrics format forbids."""

import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1]) as answer:
    kind = answer.headers["content-type"]
    text = answer.read().decode()
assert kind.startswith("application/openmetrics-text; version=1.0.0"), kind
families = list(text_string_to_metric_families(text))
for family in families:
    assert family.documentation, f"{family.name} has no help"
    assert family.name.startswith(("seatlock_", "process_")), family.name
    assert not family.unit or family.name.endswith(family.unit), family.name
samples = sum(len(family.samples) for family in families)
print(f"{len(families)} families with {samples} samples")
