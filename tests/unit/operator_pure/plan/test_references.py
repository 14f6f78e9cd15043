"""Which Secrets and ConfigMaps a plan must be able to see."""

from trading_operator.plan.references import references
from unit.operator_pure.systems import OWNER, datastore, make_spec, service


def test_every_named_secret_and_config_map_is_listed_once() -> None:
    variable = {"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}
    spec = make_spec(
        env=[{"name": "S", "secretKeyRef": {"name": "shared", "key": "key"}}],
        configs=[{"name": "a", "configMapRef": "foreign"}, {"name": "b", "files": {}}],
        datastores=[
            datastore("db"),
            datastore("cache", "Redis", credentials={"secretName": "mine"}),
        ],
        services=[service("app", env=[variable]), service("other", env=[variable])],
    )
    found = references(OWNER, spec)
    assert found.secrets == {"momentum-db-credentials", "mine", "broker", "shared"}
    assert found.config_maps == {"foreign"}
