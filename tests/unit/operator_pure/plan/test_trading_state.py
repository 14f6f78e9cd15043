"""The trading state reaches every service, and never touches a pod template."""

from dataclasses import replace

import pytest

from trading_operator.api.trading_system import TradingState, TradingSystemSpec
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.trading_state import plan_restraint
from trading_operator.plan.types import InvalidSpecError, Plan
from unit.operator_pure.systems import (
    OPERAND,
    OWNER,
    WORKLOADS,
    World,
    container_of,
    datastore,
    environment_of,
    make_pod,
    make_spec,
    objects_of,
    plan_for,
    service,
    template_of,
)

FILE = "/run/trading-state/trading_state"
CONFIG_MAP = Ref("ConfigMap", "momentum-trading-state")


def _spec(state: str = "Active", **fields: object) -> TradingSystemSpec:
    return make_spec(
        tradingState=state,
        datastores=[datastore("db")],
        services=[service("strategy", "db", workload="SingleWriter", **fields), service("ui")],
    )


def _told(plan: Plan) -> tuple[str, ...]:
    assert plan.trading_state is not None
    return plan.trading_state.pods


def test_every_service_is_told_where_to_read_the_state() -> None:
    world = World()
    world.settle(_spec("Halted"))
    plan = plan_for(_spec("Halted"), world.observe())
    assert objects_of(plan, "ConfigMap")[CONFIG_MAP.name]["data"] == {"trading_state": "Halted\n"}
    for name in ("strategy", "ui"):
        assert environment_of(plan, name)["TRADING_STATE_FILE"] == FILE
        mount = {"name": "trading-state", "mountPath": "/run/trading-state", "readOnly": True}
        assert mount in container_of(plan, name)["volumeMounts"]


def test_a_datastore_is_told_nothing() -> None:
    plan = plan_for(make_spec(tradingState="Halted", datastores=[datastore("db")]))
    assert "trading-state" not in str(template_of(plan, "db"))
    assert objects_of(plan, "ConfigMap") == {}


@pytest.mark.parametrize("state", list(TradingState))
def test_a_new_state_changes_the_file_and_no_other_object(state: TradingState) -> None:
    world = World()
    world.settle(_spec())
    before = dict(world.children)
    plan = plan_for(_spec(state), world.observe())
    world.apply(plan)
    wanted = [] if state is TradingState.ACTIVE else [CONFIG_MAP]
    assert world.written == wanted
    assert plan.replace_pods == ()
    for ref, live in before.items():
        if ref.kind in WORKLOADS:
            assert world.children[ref] == live


def test_pods_of_services_are_told_of_a_new_state_and_each_once() -> None:
    world = World()
    world.settle(_spec())
    assert _told(plan_for(_spec(), world.observe())) == ()
    plan = plan_for(_spec("Halted"), world.observe())
    assert sorted(_told(plan)) == ["momentum-strategy-0", "momentum-ui-5d9f-x2k4z"]
    for name in ("strategy", "ui"):
        world.pods[name] = replace(world.pods[name], trading_state="Halted")
    assert _told(plan_for(_spec("Halted"), world.observe())) == ()
    assert len(_told(plan_for(_spec("Active"), world.observe()))) == 2


def test_a_new_pod_needs_no_telling_while_everything_is_allowed() -> None:
    world = World()
    world.settle(_spec())
    world.pods["ui"] = make_pod("ui", world.pods["ui"].revision)
    assert _told(plan_for(_spec(), world.observe())) == ()


def test_a_strategy_that_left_the_spec_and_still_runs_is_told_and_a_terminating_pod_is_not() -> (
    None
):
    world = World()
    world.settle(_spec())
    rest = make_spec(tradingState="Halted", datastores=[datastore("db")], services=[service("ui")])
    world.pods["ui"] = replace(world.pods["ui"], deleting=True)
    world.pods["job"] = make_pod("", "")
    assert _told(plan_for(rest, world.observe())) == ("momentum-strategy-0",)


@pytest.mark.parametrize("path", ["/run", "/var/run", "/run/trading-states"])
def test_a_writable_folder_of_the_services_own_leaves_room_for_the_file(path: str) -> None:
    plan = plan_for(make_spec(services=[service("ui", writablePaths=[path])]))
    names = [mount["name"] for mount in container_of(plan, "ui")["volumeMounts"]]
    assert "trading-state" in names


@pytest.mark.parametrize("path", ["/run", "/run/trading-state", "/run/trading-state/more/"])
@pytest.mark.parametrize("kind", ["configs", "volumes", "writablePaths"])
def test_a_mount_that_hides_the_file_is_refused_by_its_field(kind: str, path: str) -> None:
    if kind == "writablePaths" and path == "/run":
        return  # room for the folder
    mount = path if kind == "writablePaths" else {"name": "own", "mountPath": path}
    spec = make_spec(
        configs=[{"name": "own", "files": {"a": "1"}}],
        volumes=[{"name": "own", "size": "1Gi"}],
        services=[service("ui", **{kind: [mount]})],
    )
    field = f"services[0].{kind}[0]" + ("" if kind == "writablePaths" else ".mountPath")
    with pytest.raises(InvalidSpecError) as caught:
        plan_for(spec)
    assert caught.value.path == field


def test_a_halt_is_planned_alone_and_needs_no_spec_that_makes_sense() -> None:
    world = World()
    world.settle(_spec())
    cycle = [service("strategy", "ui", workload="SingleWriter"), service("ui", "strategy")]
    for state, files in (("Halted", [CONFIG_MAP]), ("Active", [])):
        spec = make_spec(tradingState=state, services=cycle)
        plan = plan_restraint(System(OWNER, spec, world.observe(), OPERAND))
        assert [ref_of(each) for each in plan.objects] == files
        assert bool(_told(plan)) is bool(files)
    # As the whole plan has it: what follows writes it no second time.
    planned = objects_of(plan_for(_spec("Halted"), world.observe()), "ConfigMap")[CONFIG_MAP.name]
    system = System(OWNER, _spec("Halted"), world.observe(), OPERAND)
    assert plan_restraint(system).objects == (planned,)


def test_nothing_is_written_over_a_file_of_somebody_else() -> None:
    world = World()
    world.settle(_spec())
    seen = world.observe(foreign={CONFIG_MAP})
    plan = plan_restraint(System(OWNER, _spec("Halted"), seen, OPERAND))
    assert (plan.objects, _told(plan)) == ((), ())


def test_the_file_is_kept_up_for_services_that_left_the_spec_and_still_run() -> None:
    world = World()
    world.settle(_spec())
    rest = make_spec(tradingState="Halted", datastores=[datastore("db")])
    assert CONFIG_MAP.name in objects_of(plan_for(rest, world.observe()), "ConfigMap")


def test_a_pod_starts_though_the_file_is_not_there() -> None:
    plan = plan_for(make_spec(services=[service("ui")]))
    volumes = template_of(plan, "ui")["spec"]["volumes"]
    source = next(each["configMap"] for each in volumes if each["name"] == "trading-state")
    assert source["optional"] is True


def test_a_config_map_of_that_name_that_is_somebody_elses_is_told_and_starts_no_service() -> None:
    world = World()
    plan = plan_for(make_spec(services=[service("ui")]), world.observe(foreign={CONFIG_MAP}))
    block = plan.components[0].block
    assert block is not None
    assert block.reason == "NameConflict"
    assert "momentum-trading-state" in block.message


def test_a_file_that_somebody_changed_is_put_back() -> None:
    world = World()
    world.settle(_spec("Halted"))
    live = world.children[CONFIG_MAP]
    world.children[CONFIG_MAP] = {**live, "data": {"trading_state": "Active\n"}}
    world.apply(plan_for(_spec("Halted"), world.observe()))
    assert world.written == [CONFIG_MAP]


def test_the_state_reaches_a_hibernating_system_too() -> None:
    world = World()
    world.settle(_spec())
    asleep = _spec("Halted").model_copy(update={"hibernated": True})
    world.settle(asleep)
    assert world.children[CONFIG_MAP]["data"] == {"trading_state": "Halted\n"}
