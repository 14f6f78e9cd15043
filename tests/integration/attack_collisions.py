"""Names: objects of somebody else, and of other systems, where a system's own would be."""

from integration.attacks import (
    CONFLICT,
    Attack,
    claim_of_theirs,
    config_map_of,
    configured,
    isolated,
    labels_of,
    notes_of_theirs,
    one,
    policy_of_theirs,
    secret_of_theirs,
    service_of_theirs,
    store,
    volumes,
    workload_of_theirs,
)
from integration.kube_client import Namespace
from integration.systems import build_service, build_system

COLLISIONS = [
    Attack(
        "a Service of somebody else has the name of a component's",
        (one("c-service"),),
        stalled=CONFLICT,
        told="c-service-api",
        theirs=(service_of_theirs("c-service-api"),),
    ),
    Attack(
        "a Secret of somebody else has the name of a generated password's",
        (store("c-secret"),),
        stalled=CONFLICT,
        told="c-secret-db-credentials",
        theirs=(secret_of_theirs("c-secret-db-credentials"),),
    ),
    Attack(
        "a Secret of another system has the name of a generated password's",
        (store("c-labelled"),),
        stalled=CONFLICT,
        told="c-labelled-db-credentials",
        theirs=(secret_of_theirs("c-labelled-db-credentials", labels_of("another")),),
    ),
    Attack(
        "a ConfigMap of somebody else has the name of a config with its content",
        (configured("c-config", {"a.yaml": "1"}),),
        stalled=CONFLICT,
        told="c-config-settings",
        theirs=(notes_of_theirs(config_map_of("c-config", {"a.yaml": "1"})),),
    ),
    Attack(
        "a claim of somebody else has the name of a shared volume's",
        (volumes("c-claim", "models"),),
        stalled=CONFLICT,
        told="c-claim-models",
        theirs=(claim_of_theirs("c-claim-models"),),
    ),
    Attack(
        "a claim of somebody else has the name of a database's volume",
        (store("c-data"),),
        stalled=CONFLICT,
        told="data-c-data-db-0",
        theirs=(claim_of_theirs("data-c-data-db-0"),),
    ),
    Attack(
        "a Deployment of somebody else has the name of a component's",
        (one("c-deployment"),),
        stalled=CONFLICT,
        told="c-deployment-api",
        theirs=(workload_of_theirs("deployments", "c-deployment-api"),),
    ),
    Attack(
        "a NetworkPolicy of somebody else has the name of a component's",
        (isolated(one("c-policy")),),
        stalled=CONFLICT,
        told="c-policy-api",
        theirs=(policy_of_theirs("c-policy-api"),),
    ),
    Attack(
        "the name of the Service is that of another system's",
        (one("c-shadow", serviceName="c-victim-api"),),
        stalled=CONFLICT,
        told="c-victim-api",
        theirs=(service_of_theirs("c-victim-api"),),
    ),
    Attack(
        "the name of the Service is that of another component's",
        (
            build_system(
                "c-sibling",
                [build_service("api"), build_service("web", serviceName="c-sibling-api")],
            ),
        ),
        stalled="InvalidSpec",
        told="has the Service c-sibling-api already",
    ),
    Attack(
        "the name of the Service is that of the API server's",
        (one("c-k8s", serviceName="kubernetes"),),
    ),
]


def _first_of_twins(space: Namespace) -> None:
    """Exactly one of two systems with the same children has them, the other one says so."""
    names = ("t-a-b", "t-a")
    ready = [name for name in names if space.is_ready(name)]
    assert len(ready) == 1, ready
    (other,) = set(names) - set(ready)
    assert space.condition(other, "Stalled")["reason"] == CONFLICT
    uid = space.get("tradingsystems", ready[0])["metadata"]["uid"]
    for kind in ("statefulsets", "services", "networkpolicies"):
        (reference,) = space.get(kind, "t-a-b-c")["metadata"]["ownerReferences"]
        assert reference["uid"] == uid, kind
    secret = space.get("secrets", "t-a-b-c-credentials")
    assert secret["metadata"]["labels"]["app.kubernetes.io/part-of"] == ready[0]


def _claim_is_its_makers(space: Namespace) -> None:
    claim = space.get("persistentvolumeclaims", "data-vault-db-0")
    maker = claim["metadata"]["labels"]["app.kubernetes.io/part-of"]
    (loser,) = {"data", "vault"} - {maker}
    assert space.condition(loser, "Stalled")["reason"] == CONFLICT


TWINS = [
    Attack(
        "two systems whose children have the same names: a-b with c, a with b-c",
        (
            isolated(store("t-a-b", "c")),
            isolated(store("t-a", "b-c")),
        ),
        stalled="either",
        proof=_first_of_twins,
    ),
    Attack(
        "a shared volume has the name of another system's database volume",
        (store("vault"), volumes("data", "vault-db-0")),
        stalled="either",
        proof=_claim_is_its_makers,
    ),
]
