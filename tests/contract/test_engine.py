"""What holds for every database engine."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import trading_operator
from trading_operator.api.backup_parts import Method
from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.api.errors import InvalidSpecError
from trading_operator.engines import ENGINES
from trading_operator.engines.base import (
    Endpoint,
    OperandSettings,
    Throwaway,
    default_version,
    image_of,
)
from trading_operator.manifests.pod import Container, SecretFile

PASSWORD = SecretFile("store/password", "secret", "password")
ENDPOINT = Endpoint("host", 1234)

each_engine = pytest.mark.parametrize("name", list(EngineName))


def store_of(name: EngineName, **fields: Any) -> Datastore:
    return Datastore.model_validate(
        {"name": "store", "engine": name, "storage": {"size": "1Gi"}, **fields}
    )


def container_of(name: EngineName, **fields: Any) -> Container:
    return ENGINES[name].build_container(store_of(name, **fields), "image:1", PASSWORD)


def test_every_engine_name_is_registered() -> None:
    assert set(ENGINES) == set(EngineName)
    assert all(engine.name == name for name, engine in ENGINES.items())


@each_engine
def test_a_plain_datastore_is_accepted(name: EngineName) -> None:
    ENGINES[name].check(store_of(name), "datastores[0]")


@each_engine
def test_images_are_pinned_and_run_as_nobody_special(name: EngineName) -> None:
    engine = ENGINES[name]
    assert all(re.search(r":\d", image) for image in engine.images.values())
    assert engine.contract.user > 0
    assert engine.contract.group > 0


@each_engine
def test_the_installation_may_replace_the_default_image(name: EngineName) -> None:
    operand = OperandSettings(images={name: "mirror.local/own:1"})
    engine = ENGINES[name]
    assert image_of(engine, store_of(name), operand, "p") == "mirror.local/own:1"
    older = list(engine.images)[-1]
    assert image_of(engine, store_of(name, version=older), operand, "p") == engine.images[older]
    own = store_of(name, image="mine:2")
    assert image_of(engine, own, operand, "p") == "mine:2"


@each_engine
def test_an_unknown_version_is_refused_with_its_path_and_the_known_ones(name: EngineName) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        image_of(ENGINES[name], store_of(name, version="3"), OperandSettings(), "datastores[2]")
    assert caught.value.path == "datastores[2].version"
    assert default_version(ENGINES[name]) in caught.value.mend


@each_engine
def test_it_listens_on_its_port_and_says_when_it_is_ready(name: EngineName) -> None:
    container = container_of(name)
    assert list(container.ports.values()) == [ENGINES[name].port]
    assert set(container.probes) == {"readinessProbe", "livenessProbe", "startupProbe"}


@pytest.mark.acceptance("A39")
@each_engine
def test_health_is_asked_every_10_s_for_5_s_and_5_failures_count(name: EngineName) -> None:
    ready = container_of(name).probes["readinessProbe"]
    timing = (ready["periodSeconds"], ready["timeoutSeconds"], ready["failureThreshold"])
    assert timing == (10, 5, 5)


@each_engine
def test_health_timing_can_be_set(name: EngineName) -> None:
    health = {"period": "1m", "timeout": "2s", "failureThreshold": 9}
    ready = container_of(name, health=health).probes["readinessProbe"]
    timing = (ready["periodSeconds"], ready["timeoutSeconds"], ready["failureThreshold"])
    assert timing == (60, 2, 9)


@each_engine
def test_liveness_gives_up_much_later_than_readiness(name: EngineName) -> None:
    probes = container_of(name).probes
    seconds = {
        kind: probe["periodSeconds"] * probe["failureThreshold"] for kind, probe in probes.items()
    }
    assert seconds["livenessProbe"] >= 3 * seconds["readinessProbe"]
    assert seconds["startupProbe"] >= 1800


@pytest.mark.acceptance("X30", "A79")
@each_engine
def test_the_password_is_read_from_its_file_and_is_no_argument_or_variable(
    name: EngineName,
) -> None:
    container = container_of(name)
    values = [variable["value"] for variable in container.env if "value" in variable]
    assert PASSWORD.mounted_at in values
    assert all("valueFrom" not in variable for variable in container.env)
    assert "{password}" not in shlex.join((*container.command, *container.args))


@pytest.mark.parametrize("method", list(Method))
@each_engine
def test_a_throw_away_server_waits_for_its_data_and_listens_to_its_pod_alone(
    name: EngineName, method: Method
) -> None:
    server = Throwaway(20001, "/data/.start", method)
    made = ENGINES[name].build_throwaway(store_of(name), "image:1", PASSWORD, server)
    assert {"name": "START_FILE", "value": "/data/.start"} in made.env
    assert made.command[:2] == ("sh", "-c")
    assert made.command[2].startswith("trap 'exit 143' TERM; until [ -e \"$START_FILE\" ]")
    arguments = shlex.join(made.args)
    assert "20001" in arguments
    assert "127.0.0.1" in arguments
    assert made.probes == made.ports == {}
    values = [variable["value"] for variable in made.env if "value" in variable]
    assert PASSWORD.mounted_at in values


@each_engine
def test_a_backup_is_told_how_to_reach_it_and_no_password(name: EngineName) -> None:
    engine, store = ENGINES[name], store_of(name)
    engine.check_backup(store, Method.LOGICAL, incremental=True, path="targets[0]")
    told = engine.describe_target(store, Method.LOGICAL)
    assert not any("password" in value.lower() for value in told.values())
    place = engine.throwaway_path(Method.LOGICAL)
    assert place is None or not place.startswith("/")


@each_engine
def test_dependants_get_an_address_without_a_password(name: EngineName) -> None:
    connection = ENGINES[name].connection(store_of(name), ENDPOINT)
    assert "host:1234" in connection["URL"]
    assert not any("password" in value.lower() for value in connection.values())
    assert "{password}" in ENGINES[name].uri(store_of(name), ENDPOINT)


@each_engine
def test_a_setting_of_the_operators_own_is_refused_with_the_mend(name: EngineName) -> None:
    store = store_of(name, parameters={"port": "1"})
    with pytest.raises(InvalidSpecError, match=r"datastores\[0\].parameters.port: the operator"):
        ENGINES[name].check(store, "datastores[0]")


@each_engine
def test_a_setting_cannot_smuggle_a_second_line(name: EngineName) -> None:
    store = store_of(name, parameters={"save": "1\nrequirepass x"})
    with pytest.raises(InvalidSpecError, match="control character"):
        ENGINES[name].check(store, "datastores[0]")


@each_engine
def test_settings_reach_the_server(name: EngineName) -> None:
    container = container_of(name, parameters={"timeout": "17"})
    assert any(text in ("timeout=17", "timeout 17") for text in container.args)


@each_engine
def test_arguments_do_not_depend_on_the_order_of_settings(name: EngineName) -> None:
    one = container_of(name, parameters={"alpha": "1", "beta": "2"})
    other = container_of(name, parameters={"beta": "2", "alpha": "1"})
    assert one == other


POSTGRES = [EngineName.POSTGRESQL, EngineName.TIMESCALEDB]


@pytest.mark.acceptance("A37", "A38")
@pytest.mark.parametrize("name", POSTGRES)
def test_postgresql_gets_the_official_images_environment(name: EngineName) -> None:
    container = container_of(name, username="trader", database="ticks")
    environment = {variable["name"]: variable["value"] for variable in container.env}
    assert environment["POSTGRES_USER"] == "trader"
    assert environment["POSTGRES_DB"] == "ticks"
    assert environment["POSTGRES_PASSWORD_FILE"] == "/run/secrets/store/password"
    assert environment["PGDATA"].startswith(f"{ENGINES[name].contract.data_path}/")


@pytest.mark.acceptance("A39")
@pytest.mark.parametrize("name", POSTGRES)
def test_postgresql_is_ready_when_pg_isready_says_so_over_the_network(name: EngineName) -> None:
    ready = container_of(name, username="u", database="d").probes["readinessProbe"]
    command = ready["exec"]["command"]
    assert command == ["pg_isready", "-h", "127.0.0.1", "-U", "u", "-d", "d"]


@pytest.mark.acceptance("A67")
def test_timescaledb_loads_its_libraries_before_the_users_own() -> None:
    own = {"shared_preload_libraries": "auto_explain, timescaledb"}
    container = container_of(EngineName.TIMESCALEDB, parameters=own)
    wanted = "shared_preload_libraries=timescaledb,pg_stat_statements,auto_explain"
    assert wanted in container.args


def test_postgresql_preloads_nothing_by_itself() -> None:
    assert not any("preload" in text for text in container_of(EngineName.POSTGRESQL).args)


@pytest.mark.parametrize(
    ("name", "parameter", "accepted"),
    [
        (EngineName.TIMESCALEDB, "timescaledb.max_background_workers", True),
        (EngineName.TIMESCALEDB, "pg_stat_statements.track", True),
        (EngineName.POSTGRESQL, "timescaledb.max_background_workers", False),
        (EngineName.POSTGRESQL, "plpgsql.extra_warnings", True),
    ],
)
def test_a_setting_of_a_library_needs_the_library(
    name: EngineName, parameter: str, accepted: bool
) -> None:
    store = store_of(name, parameters={parameter: "1"})
    if accepted:
        ENGINES[name].check(store, "datastores[0]")
        return
    with pytest.raises(InvalidSpecError, match="loads no library timescaledb"):
        ENGINES[name].check(store, "datastores[0]")


@pytest.mark.parametrize(
    ("limit", "maxmemory"), [("1Gi", 805306368), ("100M", 75000000), (None, None)]
)
def test_redis_leaves_a_quarter_of_its_memory_for_its_own_copies(
    limit: str | None, maxmemory: int | None
) -> None:
    resources = {"limits": {"memory": limit}} if limit else {}
    settings = dict(
        text.split(" ", 1) for text in container_of(EngineName.REDIS, resources=resources).args
    )
    assert settings["appendonly"] == "yes"
    assert settings.get("maxmemory") == (None if maxmemory is None else str(maxmemory))


def test_a_redis_setting_of_ones_own_wins() -> None:
    container = container_of(
        EngineName.REDIS,
        resources={"limits": {"memory": "1Gi"}},
        parameters={"maxmemory": "5mb", "maxmemory-policy": "noeviction"},
    )
    assert {"maxmemory 5mb", "maxmemory-policy noeviction"} <= set(container.args)


def test_redis_has_no_init_scripts() -> None:
    store = store_of(EngineName.REDIS, initScripts={"config": "x"})
    with pytest.raises(InvalidSpecError, match=r"datastores\[1\].initScripts: Redis has no init"):
        ENGINES[EngineName.REDIS].check(store, "datastores[1]")


def test_a_redis_setting_in_postgresqls_spelling_is_refused() -> None:
    store = store_of(EngineName.REDIS, parameters={"maxmemory_policy": "noeviction"})
    with pytest.raises(InvalidSpecError, match="use the names of redis"):
        ENGINES[EngineName.REDIS].check(store, "datastores[0]")


def test_nothing_else_in_the_operator_compares_engine_names() -> None:
    root = Path(trading_operator.__file__).parent
    comparison = re.compile(r"(==|!=|\bis|\bnot|\bin|\bcase)\s+[({\[]?EngineName\.")
    sources = [path for path in root.rglob("*.py") if path.parent.name != "engines"]
    assert [path for path in sources if comparison.search(path.read_text())] == []
