"""What does not hold is given up, told with its field, and tried again ever more slowly."""

from typing import Any

from trading_operator.kube.cache import Key
from trading_operator.kube.contests import WINDOW_SECONDS, Contests
from trading_operator.kube.field_owners import other_managers
from trading_operator.kube.refusals import fingerprint
from trading_operator.manifests.compare import describe_path, find_differences
from trading_operator.plan.observed import Ref

KEY, REF = Key("ns", "one"), Ref("Deployment", "d")
WANTED: dict[str, Any] = {"spec": {"replicas": 1}}


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def _fight(contests: Contests, clock: Clock, times: int) -> int:
    """Carry the change out as often as it is allowed, a second apart; returns how often."""
    done = 0
    for _ in range(times):
        if contests.give_up_if_contested(KEY, REF, WANTED):
            return done
        contests.add(KEY, REF, WANTED)
        done += 1
        clock.now += 1
    return done


def test_three_tries_in_a_window_and_then_one_at_longer_and_longer_times() -> None:
    clock = Clock()
    contests = Contests(clock)
    assert _fight(contests, clock, 10) == 3
    clock.now += WINDOW_SECONDS + 1
    assert _fight(contests, clock, 10) == 1
    clock.now += WINDOW_SECONDS + 1
    assert _fight(contests, clock, 10) == 0
    clock.now += WINDOW_SECONDS
    assert _fight(contests, clock, 10) == 1


def test_a_try_that_holds_ends_the_contest() -> None:
    clock = Clock()
    contests = Contests(clock)
    _fight(contests, clock, 10)
    clock.now += WINDOW_SECONDS + 1
    assert _fight(contests, clock, 1) == 1
    clock.now += WINDOW_SECONDS + 1  # it has held
    assert _fight(contests, clock, 10) == 3


def test_slow_changes_and_other_changes_are_no_contest() -> None:
    clock = Clock()
    contests = Contests(clock)
    for _ in range(10):
        assert not contests.give_up_if_contested(KEY, REF, WANTED)
        contests.add(KEY, REF, WANTED)
        clock.now += WINDOW_SECONDS
    _fight(contests, clock, 10)
    assert contests.give_up_if_contested(KEY, REF, WANTED)
    assert not contests.give_up_if_contested(KEY, REF, {"spec": {"replicas": 2}})
    contests.forget(KEY)
    assert not contests.give_up_if_contested(KEY, REF, WANTED)


def test_what_has_held_or_left_the_plan_is_not_remembered() -> None:
    clock, other = Clock(), Ref("Service", "s")
    contests = Contests(clock)
    contests.add(KEY, REF, WANTED)
    contests.add(KEY, other, WANTED)
    contests.keep_only(KEY, [REF])
    assert contests.remembered(KEY) == {REF}
    clock.now += WINDOW_SECONDS + 1
    contests.keep_only(KEY, [REF])
    assert contests.remembered(KEY) == set()


def test_what_is_given_up_is_remembered_as_long_as_it_is_planned() -> None:
    clock = Clock()
    contests = Contests(clock)
    _fight(contests, clock, 10)
    for _ in range(3):
        contests.keep_only(KEY, [REF])
    assert contests.give_up_if_contested(KEY, REF, WANTED)


def test_the_memory_of_a_change_does_not_grow_with_the_object() -> None:
    large = {"spec": {"args": ["x" * 100_000]}}
    assert len(fingerprint(large)) == 16
    assert fingerprint(large) != fingerprint(WANTED)


CONTAINERS = [{"name": "main", "image": "app:1", "args": ["a"]}]
FULL: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "replicas": 1,
        "selector": {"a": "1"},
        "template": {
            "spec": {"containers": CONTAINERS, "volumes": [{"name": "v", "emptyDir": {}}]}
        },
    },
}


def _paths(live: dict[str, Any]) -> list[str]:
    return [describe_path(path) for path in find_differences(FULL, live)]


def _live(**spec: Any) -> dict[str, Any]:
    return {**FULL, "spec": {**FULL["spec"], **spec}}


def test_a_difference_is_named_down_to_its_field() -> None:
    assert _paths(FULL) == []
    assert _paths(_live(replicas=3)) == ["spec.replicas"]
    assert _paths(_live(selector={"a": "1", "b": "2"})) == ["spec.selector"]
    other = [{"name": "main", "image": "evil:1", "args": ["a"]}]
    template = {"spec": {"containers": other, "volumes": [{"name": "v", "hostPath": {}}]}}
    assert _paths(_live(template=template)) == ["spec.template.spec.containers[main].image"]
    hosted = {"spec": {"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}
    assert _paths(_live(template=hosted)) == [
        "spec.template.spec.containers[main]",
        "spec.template.spec.volumes[v]",
    ]


def test_who_owns_a_field_is_read_from_the_managed_fields() -> None:
    image: dict[str, Any] = {"f:image": {}, "f:args": {}}
    containers = {"f:containers": {'k:{"name":"main"}': image}}
    fields = {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": containers}}}
    live = {
        "metadata": {
            "managedFields": [
                {"manager": "trading-operator", "fieldsV1": fields},
                {"manager": "kubectl-edit", "fieldsV1": fields},
                {"manager": "scaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "scaler-status", "subresource": "status", "fieldsV1": fields},
            ]
        }
    }
    (replicas,) = find_differences(FULL, _live(replicas=3))
    assert other_managers(live, replicas) == ("kubectl-edit", "scaler")
    evil = {**FULL["spec"]["template"]["spec"], "containers": [{"name": "main", "image": "e"}]}
    found = find_differences(FULL, _live(template={"spec": evil}))
    assert [other_managers(live, path) for path in found] == [("kubectl-edit",)] * 2
