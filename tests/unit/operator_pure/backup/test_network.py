"""A Backup's pods reach what they back up, names, and their store, and nothing else."""

from typing import Any

from trading_operator.manifests.metadata import Manifest
from unit.operator_pure.backup.cases import (
    BACKUP,
    PASSWORD,
    S3,
    case_of,
    objects_of,
    planned,
    source_of,
)


def policy_of(**fields: Any) -> Manifest:
    (policy,) = objects_of(planned(case_of(**fields)).plan, "NetworkPolicy").values()
    spec: Manifest = policy["spec"]
    return spec


def peers(policy: Manifest) -> list[tuple[Any, list[int]]]:
    found = []
    for rule in policy["egress"][1:]:
        ports = [port["port"] for port in rule.get("ports", ())]
        found += [(peer, ports) for peer in rule["to"]]
    return found


def components(policy: Manifest) -> set[tuple[str, int]]:
    label = "app.kubernetes.io/component"
    return {
        (peer["podSelector"]["matchLabels"][label], ports[0])
        for peer, ports in peers(policy)
        if "podSelector" in peer
    }


def test_the_policy_is_for_the_pods_of_this_backup_alone() -> None:
    labels = policy_of()["podSelector"]["matchLabels"]
    assert labels["app.kubernetes.io/instance"] == BACKUP.name
    assert labels["tradingoperator.io/owner-kind"] == "Backup"


def test_databases_are_reached_on_their_pods_port() -> None:
    assert components(policy_of()) == {("db", 5432), ("cache", 6379)}


def test_a_hook_opens_its_service() -> None:
    hooks = {"before": [{"name": "halt", "service": "trader", "path": "/halt"}]}
    assert ("trader", 8000) in components(policy_of(hooks=hooks))


def test_the_operator_alone_may_ask_for_progress() -> None:
    (rule,) = policy_of()["ingress"]
    assert [port["port"] for port in rule["ports"]] == [8090]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"] == {"tradingoperator.io/role": "operator"}


def test_a_bucket_is_reached_on_its_port_but_not_the_clouds_credentials() -> None:
    ranges = [
        (peer["ipBlock"], ports)
        for peer, ports in peers(policy_of(destination=S3, encryption=PASSWORD))
        if "ipBlock" in peer
    ]
    assert {block["cidr"] for block, _ in ranges} == {"0.0.0.0/0", "::/0"}
    assert all(ports == [443] for _, ports in ranges)
    assert all(block["except"] for block, _ in ranges)


def test_a_bucket_may_be_named_by_its_addresses_or_its_namespace() -> None:
    egress = [{"cidr": "203.0.113.0/24", "ports": [9000]}]
    near: Any = {"s3": {**S3["s3"], "egress": egress}}
    blocks = [
        p["ipBlock"]["cidr"]
        for p, _ in peers(policy_of(destination=near, encryption=PASSWORD))
        if "ipBlock" in p
    ]
    assert blocks == ["203.0.113.0/24"]
    inside: Any = {"s3": {**S3["s3"], "namespace": "storage"}}
    found = peers(policy_of(destination=inside, encryption=PASSWORD))
    assert any("namespaceSelector" in peer for peer, _ in found)
    assert not any("ipBlock" in peer for peer, _ in found)


def test_where_the_system_has_no_isolation_its_backups_have_none() -> None:
    plan = planned(case_of(source_of(network={"isolation": "Off"}))).plan
    assert objects_of(plan, "NetworkPolicy") == {}
