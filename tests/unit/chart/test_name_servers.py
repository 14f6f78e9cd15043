"""Where the chart says that the cluster's name servers are."""

import pytest

from trading_operator.settings import Settings
from unit.chart.rendering import Chart, environment

OPENSHIFT = {
    "namespace": "openshift-dns",
    "podLabels": {"dns.operator.openshift.io/daemonset-dns": "default", "tier": "dns"},
    "ports": [5353],
}


def _read(chart: Chart, monkeypatch: pytest.MonkeyPatch, **values: object) -> Settings:
    """Return the settings that the operator reads from what the chart renders."""
    for name, entry in environment(chart.render(values)).items():
        if name.startswith("TRADING_OPERATOR_NAME_SERVER"):
            monkeypatch.setenv(name, entry["value"])
    return Settings()


def test_the_usual_ones_are_the_default(chart: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    made, usual = _read(chart, monkeypatch), Settings()
    assert made.name_server_labels == usual.name_server_labels == {"k8s-app": "kube-dns"}
    assert made.name_server_ports == usual.name_server_ports == (53, 5353)
    assert made.name_server_namespace == usual.name_server_namespace == "kube-system"


def test_others_reach_the_operator_as_they_are(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _read(chart, monkeypatch, clusterNameServers=OPENSHIFT)
    assert made.name_server_labels == OPENSHIFT["podLabels"]
    assert made.name_server_ports == (5353,)
    assert made.name_server_namespace == "openshift-dns"
