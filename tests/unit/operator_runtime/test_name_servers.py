"""Which name servers the systems' pods may ask."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from trading_operator import main
from trading_operator.manifests.network_policy import NameServers
from trading_operator.name_servers import read_name_servers
from trading_operator.settings import Settings

CLUSTER = """search desk.svc.cluster.local svc.cluster.local
nameserver 10.96.0.10
nameserver fd00::a%eth0 # a scope
nameserver 10.96.0.10
nameserver nonsense
options ndots:5
nameserver
"""


def test_addresses_are_read_once_each_and_nonsense_is_not(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(CLUSTER)
    assert read_name_servers(file) == ("10.96.0.10", "fd00::a")
    assert read_name_servers(tmp_path / "missing") == ()


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"namespace": "ops"}, ("10.96.0.10",)),
        ({"namespace": "ops", "name_servers": "Any"}, ()),
        ({"namespace": ""}, ()),  # outside of a cluster
    ],
)
def test_the_clusters_own_are_known_to_an_operator_in_it(
    settings: dict[str, str], known: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "read_name_servers", lambda: ("10.96.0.10",))
    made = main.build_operand_settings(Settings.model_validate(settings))
    assert made.name_servers == NameServers(known)


def test_where_the_clusters_are_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NAMESPACE": "openshift-dns",
        "LABELS": "dns.operator.openshift.io/daemonset-dns=default, a=,",
        "PORTS": "5353,53",
    }.items():
        monkeypatch.setenv(f"TRADING_OPERATOR_NAME_SERVER_{name}", value)
    made = main.build_operand_settings(Settings()).name_servers
    assert made.namespace == "openshift-dns"
    assert made.labels == {"dns.operator.openshift.io/daemonset-dns": "default", "a": ""}
    assert made.ports == (5353, 53)


@pytest.mark.parametrize("ports", ["", "0", "70000", "dns"])
def test_ports_that_are_none_are_refused(ports: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_OPERATOR_NAME_SERVER_PORTS", ports)
    with pytest.raises(ValidationError, match="name_server_ports"):
        Settings()
