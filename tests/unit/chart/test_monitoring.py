"""Alerts and the dashboard: what they ask for is there, and Prometheus understands it."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.tools import find_test_program
from trading_operator.metrics import Metrics
from unit.chart.rendering import Chart, Manifest, of_kind, only

ROOT = Path(__file__).parents[3]
ENABLED = {"metrics": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}}
PAGE = "https://wiki.example/docs/troubleshooting.md"
WITH_RUNBOOKS = {"metrics": {"prometheusRule": {"enabled": True, "runbooks": PAGE}}}
# Of the process, which every Python program has.
OF_PROCESSES = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


def promcheck(command: str, text: str) -> str:
    """Ask Prometheus's own parser; fails with what it finds wrong."""
    program = find_test_program("promcheck")
    if not program.exists():
        pytest.fail("promcheck is not built: run `python3 -m cluster setup`")
    done = subprocess.run(
        [str(program), command], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def selected(expressions: list[str]) -> list[set[str]]:
    """Return the metrics that each expression selects."""
    lines = [re.sub(r"\$__rate_interval", "5m", " ".join(each.split())) for each in expressions]
    return [
        set(json.loads(line))
        for line in promcheck("expressions", "\n".join(lines)).split("\n")[:-1]
    ]


def known_series() -> set[str]:
    """Return the names of all series that an operator serves."""
    names = set(OF_PROCESSES)
    for metric in Metrics().described:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def alerts(chart: Chart, values: Manifest = ENABLED) -> list[Manifest]:
    """Return the alerts of the chart."""
    groups = only(chart.render(values), "PrometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard(chart: Chart) -> Manifest:
    """Return the dashboard of the chart."""
    manifest = only(chart.render(ENABLED), "ConfigMap")
    assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
    found: Manifest = json.loads(manifest["data"]["trading-operator.json"])
    return found


def panels(chart: Chart) -> list[Manifest]:
    """Return the panels that show something."""
    return [panel for panel in dashboard(chart)["panels"] if panel["type"] != "row"]


def test_alerts_and_dashboard_are_off_until_asked_for(chart: Chart) -> None:
    plain = chart.render()
    assert of_kind(plain, "PrometheusRule") == of_kind(plain, "ConfigMap") == []


def test_prometheus_takes_the_rules(chart: Chart) -> None:
    spec = only(chart.render(ENABLED), "PrometheusRule")["spec"]
    promcheck("rules", yaml.safe_dump(spec))
    assert len(alerts(chart)) >= 8


@pytest.mark.acceptance("C44")
def test_alerts_ask_only_for_metrics_that_are_there(chart: Chart) -> None:
    for rule, names in zip(
        alerts(chart), selected([r["expr"] for r in alerts(chart)]), strict=True
    ):
        assert names, rule["alert"]
        assert names <= known_series(), rule["alert"]


@pytest.mark.acceptance("C43")
def test_panels_ask_only_for_metrics_that_are_there(chart: Chart) -> None:
    targets = [target for panel in panels(chart) for target in panel["targets"]]
    for target, names in zip(targets, selected([t["expr"] for t in targets]), strict=True):
        assert names, target["expr"]
        assert names <= known_series(), target["expr"]


def test_labels_that_are_asked_for_are_those_of_the_metric(chart: Chart) -> None:
    labels = {metric.name: set(metric.labels) for metric in Metrics().described}
    expressions = [rule["expr"] for rule in alerts(chart)]
    expressions += [target["expr"] for panel in panels(chart) for target in panel["targets"]]
    matched = re.findall(r"(trading_operator_\w+)\{([^}]*)\}", " ".join(expressions))
    assert matched
    for name, matchers in matched:
        asked = set(re.findall(r"(\w+)\s*(?:=|!)", matchers))
        known = labels.get(name) or labels[re.sub("_(bucket|sum|count)$", "", name)]
        assert asked <= known | {"namespace"}, name


def test_every_alert_leads_to_its_paragraph(chart: Chart) -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    for rule in alerts(chart, WITH_RUNBOOKS):
        page_of, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page_of == PAGE
        assert anchor == rule["alert"].lower()
        assert anchor in anchors
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_a_runbook_is_named_only_where_its_page_is_known(chart: Chart) -> None:
    plain, linked = alerts(chart), alerts(chart, WITH_RUNBOOKS)
    for rule in linked:
        del rule["annotations"]["runbook_url"]
    assert plain == linked


def test_alerts_on_an_operator_are_those_of_its_own_release(chart: Chart) -> None:
    (operator, *_) = only(chart.render(ENABLED), "PrometheusRule")["spec"]["groups"]
    for rule in operator["rules"]:
        asked = re.findall(r"trading_operator_\w+(\{.*?\})?", rule["expr"])
        assert asked
        assert set(asked) == {'{namespace="ops"}'}, rule["alert"]


def test_no_leader_is_told_as_well_when_no_replica_is_left_to_say_so(chart: Chart) -> None:
    (rule,) = (each for each in alerts(chart) if each["alert"] == "TradingOperatorNoLeader")
    leader = 'trading_operator_leader{namespace="ops"}'
    expression = f"max by (namespace) ({leader}) == 0 or absent({leader})"
    assert " ".join(rule["expr"].split()) == expression


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_panels_have_room_titles_and_the_chosen_data_source(chart: Chart) -> None:
    made = dashboard(chart)
    places = [panel["gridPos"] for panel in made["panels"]]
    assert not any(_overlap(*pair) for pair in itertools.combinations(places, 2))
    assert all(place["x"] + place["w"] <= 24 for place in places)
    identities = [panel["id"] for panel in made["panels"]]
    assert len(set(identities)) == len(identities)
    for panel in panels(chart):
        assert panel["title"]
        assert panel["description"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    variables = {variable["name"] for variable in made["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(made))) <= variables | {
        "__rate_interval",
        "__all",
    }
