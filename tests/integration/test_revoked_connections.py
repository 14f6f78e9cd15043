"""A connection that left the spec is closed at once, whatever else of the system is sick."""

from typing import Any

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_service, build_system

ANYWHERE = [{"cidr": "0.0.0.0/0", "ports": [443]}]
KEY = [{"name": "CHANGED", "value": "1"}]


def _services(sick: str = "1", app: str = "1", **fields: Any) -> list[dict[str, Any]]:
    return [build_service("sick", tag=sick), {**build_service("app", tag=app), **fields}]


def _start(namespace: Namespace, operators: Operators, **fields: Any) -> None:
    operators.start_leading()
    network = {"isolation": "Enforced"}
    system = build_system("open", _services(**fields), network=network)
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("open"), 60)


def _change(namespace: Namespace, **fields: Any) -> None:
    namespace.merge("tradingsystems", "open", {"spec": {"services": _services(**fields)}})


def _egress(namespace: Namespace) -> list[dict[str, Any]]:
    policy = namespace.get("networkpolicies", "open-app")
    return list(policy["spec"].get("egress", []))


def _tag(namespace: Namespace, component: str) -> str:
    live = namespace.get("deployments", f"open-{component}")
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]).rsplit(":", 1)[1]


def test_a_revoked_destination_is_closed_while_another_component_never_gets_ready(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, egress=ANYWHERE)
    assert len(_egress(namespace)) == 1
    _change(namespace, sick="pretend-unready")
    eventually(lambda: _tag(namespace, "sick") == "pretend-unready")
    eventually(lambda: _egress(namespace) == [])
    assert not namespace.is_ready("open")

    opened: dict[str, Any] = {"spec": {"egress": [{}], "ingress": [{}]}}
    namespace.merge("networkpolicies", "open-app", opened)
    eventually(lambda: _egress(namespace) == [])
    ingress = namespace.get("networkpolicies", "open-app")["spec"]["ingress"]
    assert {} not in ingress
    namespace.merge("networkpolicies", "open.default-deny", {"spec": {"ingress": [{}]}})
    eventually(
        lambda: "ingress" not in namespace.get("networkpolicies", "open.default-deny")["spec"]
    )


def test_old_pods_keep_their_destination_until_the_last_of_them_is_gone(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, egress=ANYWHERE)
    (rule,) = _egress(namespace)
    _change(namespace, app="pretend-unready", env=KEY)
    eventually(lambda: _tag(namespace, "app") == "pretend-unready")
    settled = operators.settle(2.0)
    assert _egress(namespace) == [rule]
    assert operators.settle(2.0) == settled

    foreign = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}
    namespace.merge("networkpolicies", "open-app", {"spec": {"egress": [rule, foreign]}})
    eventually(lambda: foreign not in _egress(namespace))
    _change(namespace, app="2", env=KEY)
    eventually(lambda: namespace.is_ready("open"), 60)
    eventually(lambda: _egress(namespace) == [])
