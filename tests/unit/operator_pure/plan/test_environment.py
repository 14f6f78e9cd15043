"""What services are handed: identity, addresses, secrets."""

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.plan.observed import SecretFacts
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    World,
    datastore,
    environment_of,
    make_spec,
    plan_for,
    service,
    template_of,
)

KEYS = SecretFacts("broker", frozenset({"key"}), "digest-1")


def _plan(app: dict[str, object], **fields: object) -> Plan:
    spec = make_spec(services=[app], **fields)
    return plan_for(spec, World(secrets={"broker": KEYS}).observe())


def _settled(app: dict[str, object], *stores: dict[str, object], **fields: object) -> Plan:
    world = World()
    return world.settle(make_spec(datastores=list(stores), services=[app], **fields))


def _secret_files(plan: Plan, component: str) -> dict[str, tuple[str, str]]:
    volumes = template_of(plan, component)["spec"]["volumes"]
    sources = next(v["projected"]["sources"] for v in volumes if v["name"] == "secrets")
    return {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in sources
        for item in source["secret"]["items"]
    }


def test_a_service_knows_who_it_is() -> None:
    environment = environment_of(_plan(service("app"), mode="Live"), "app")
    assert environment["TRADING_SYSTEM"] == "momentum"
    assert environment["TRADING_COMPONENT"] == "app"
    assert environment["TRADING_MODE"] == "Live"
    assert environment["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.acceptance("A36", "A37")
def test_a_database_dependency_gives_address_account_and_a_password_file() -> None:
    store = datastore("timescaledb", "TimescaleDB", port=6000, username="trader", database="ticks")
    plan = _settled(service("app", "timescaledb"), store)
    environment = environment_of(plan, "app")
    assert environment["TIMESCALEDB_HOST"] == "momentum-timescaledb"
    assert environment["TIMESCALEDB_PORT"] == "6000"
    assert environment["TIMESCALEDB_USER"] == "trader"
    assert environment["TIMESCALEDB_DATABASE"] == "ticks"
    assert environment["TIMESCALEDB_URL"] == "postgresql://trader@momentum-timescaledb:6000/ticks"
    assert environment["TIMESCALEDB_PASSWORD_FILE"] == "/run/secrets/timescaledb/password"
    assert _secret_files(plan, "app") == {
        "timescaledb/password": ("momentum-timescaledb-credentials", "password")
    }


@pytest.mark.acceptance("A54", "A55")
def test_a_service_dependency_gives_its_address_under_its_fixed_name() -> None:
    controller = service("system-controller", serviceName="controller")
    spec = make_spec(services=[controller, service("app", "system-controller")])
    environment = environment_of(World().settle(spec), "app")
    assert environment["SYSTEM_CONTROLLER_HOST"] == "controller"
    assert environment["SYSTEM_CONTROLLER_PORT"] == "8000"
    assert environment["SYSTEM_CONTROLLER_URL"] == "http://controller:8000"


@pytest.mark.acceptance("X30", "A79")
def test_a_secret_reaches_the_program_as_a_file_and_never_as_text() -> None:
    reference = {"name": "broker", "key": "key"}
    plan = _plan(service("app", env=[{"name": "API_KEY", "secretKeyRef": reference}]))
    environment = environment_of(plan, "app")
    assert environment["API_KEY_FILE"] == "/run/secrets/broker/key"
    assert "API_KEY" not in environment
    assert _secret_files(plan, "app") == {"broker/key": ("broker", "key")}


@pytest.mark.acceptance("A37")
def test_a_foreign_program_may_ask_for_the_variable_itself() -> None:
    variable = {
        "name": "API_KEY",
        "secretKeyRef": {"name": "broker", "key": "key"},
        "expose": "Variable",
    }
    environment = environment_of(_plan(service("app", env=[variable])), "app")
    assert environment["API_KEY"] == {"secretKeyRef": {"name": "broker", "key": "key"}}
    assert "API_KEY_FILE" not in environment


@pytest.mark.acceptance("A13", "A46", "A77")
def test_own_environment_overrides_the_systems_by_name() -> None:
    shared = [
        {"name": "LOG_LEVEL", "value": "INFO"},
        {"name": "API_KEY", "secretKeyRef": {"name": "broker", "key": "key"}},
    ]
    own = [{"name": "LOG_LEVEL", "value": "DEBUG"}, {"name": "API_KEY", "value": "none"}]
    environment = environment_of(_plan(service("app", env=own), env=shared), "app")
    assert environment["LOG_LEVEL"] == "DEBUG"
    assert environment["API_KEY"] == "none"
    assert "API_KEY_FILE" not in environment


def test_own_environment_overrides_what_a_dependency_gives() -> None:
    own = [{"name": "DB_HOST", "value": "elsewhere"}]
    plan = _settled(service("app", "db", env=own), datastore())
    assert environment_of(plan, "app")["DB_HOST"] == "elsewhere"


def test_the_password_of_an_optional_database_does_not_hold_the_pod_up() -> None:
    spec = make_spec(datastores=[datastore()], services=[service("app", "db?")])
    plan = World().settle(spec)
    volumes = template_of(plan, "app")["spec"]["volumes"]
    source = next(v["projected"]["sources"][0] for v in volumes if v["name"] == "secrets")
    assert source["secret"]["optional"] is True


def test_a_secret_named_as_a_dependency_must_not_hide_its_password() -> None:
    spec = make_spec(
        datastores=[datastore("broker")],
        services=[
            service(
                "app",
                "broker",
                env=[{"name": "X", "secretKeyRef": {"name": "broker", "key": "password"}}],
            )
        ],
    )
    with pytest.raises(InvalidSpecError, match="share /run/secrets/broker/password"):
        plan_for(spec)


def test_a_variable_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidSpecError, match=r"services\[0\].env\[0\]: X needs either value or"):
        plan_for(make_spec(services=[service("app", env=[{"name": "X"}])]))


def test_a_changed_secret_rolls_the_pods_that_read_it_and_no_others() -> None:
    variable = {"name": "API_KEY", "secretKeyRef": {"name": "broker", "key": "key"}}
    spec = make_spec(services=[service("app", env=[variable]), service("other")])
    rotated = SecretFacts("broker", KEYS.keys, "digest-2")
    before, after = (
        {
            c.name: c.revision
            for c in plan_for(spec, World(secrets={"broker": s}).observe()).components
        }
        for s in (KEYS, rotated)
    )
    assert before["app"] != after["app"]
    assert before["other"] == after["other"]


def test_nothing_rolls_when_a_generated_password_appears() -> None:
    name = "momentum-db-credentials"
    reference = {"name": name, "key": "uri"}
    app = service("app", "db", env=[{"name": "DSN", "secretKeyRef": reference}])
    spec = make_spec(datastores=[datastore()], services=[app])
    facts = SecretFacts(name, frozenset({"uri"}), "digest")
    revisions = [
        [c.revision for c in plan_for(spec, World(secrets=secrets).observe()).components]
        for secrets in ({}, {name: facts})
    ]
    assert revisions[0] == revisions[1]
