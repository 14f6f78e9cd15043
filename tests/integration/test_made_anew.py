"""A system whose every trace was removed comes up again under the same name."""

from integration.kube_client import COLLECTED_SECONDS, Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_chain

PASSWORD = "chain-db-credentials"
VOLUME = "data-chain-db-0"


def test_a_removed_password_is_made_anew_with_a_new_volume(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    former = namespace.get("secrets", PASSWORD)["data"]["password"]

    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.names("statefulsets") == set(), COLLECTED_SECONDS)
    eventually(lambda: namespace.names("pods") == set())
    namespace.delete("secrets", PASSWORD)
    namespace.delete("persistentvolumeclaims", VOLUME)
    eventually(lambda: VOLUME not in namespace.names("persistentvolumeclaims"))

    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    assert namespace.get("secrets", PASSWORD)["data"]["password"] != former
