from cluster.conflicts import find_overlaps
from cluster.networking import build_our_rules, build_rule_removal

SAVED = """\
# Generated
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [1:2]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-ABC - [0:0]
:TRADING-OPERATOR - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -j DOCKER
-A POSTROUTING -j TRADING-OPERATOR
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-ABC
-A TRADING-OPERATOR -s 10.244.0.0/24 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
COMMIT
"""


def test_our_chains_and_the_jumps_into_them_are_removed() -> None:
    removal = build_rule_removal(SAVED).splitlines()
    assert removal == [
        "*nat",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-D POSTROUTING -j TRADING-OPERATOR",
        "-F KUBE-SERVICES",
        "-F KUBE-SVC-ABC",
        "-F TRADING-OPERATOR",
        "-X KUBE-SERVICES",
        "-X KUBE-SVC-ABC",
        "-X TRADING-OPERATOR",
        "COMMIT",
    ]


def test_nothing_is_restored_where_nothing_is_ours() -> None:
    assert build_rule_removal("*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\nCOMMIT\n") == ""


def test_our_own_rules_are_found_by_the_removal() -> None:
    assert "-X TRADING-OPERATOR" in build_rule_removal(build_our_rules())


def test_an_interface_in_the_pods_network_is_a_conflict_but_our_bridge_is_not() -> None:
    addresses: list[dict[str, object]] = [
        {"ifname": "ours0", "addr_info": [{"local": "10.244.0.1", "prefixlen": 24}]},
        {"ifname": "flannel.1", "addr_info": [{"local": "10.244.0.0", "prefixlen": 16}]},
        {"ifname": "eth0", "addr_info": [{"local": "fd00::2", "prefixlen": 64}]},
    ]
    assert find_overlaps(addresses, "10.244.0.0/24", "ours0") == ["flannel.1 (10.244.0.0/16)"]
