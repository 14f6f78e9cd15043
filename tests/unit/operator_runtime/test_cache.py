"""The newest version of each object wins, whoever brings it."""

import pytest

from trading_operator.kube.cache import Cache, Id, Key
from trading_operator.plan.observed import Ref
from unit.operator_runtime.objects import OWNER_UID, build_config_map, build_pod

ONE = Key("ns", "one")


def _cache() -> tuple[Cache, list[Key]]:
    woken: list[Key] = []
    return Cache(woken.append), woken


def test_a_watch_that_lags_behind_does_not_take_back_a_write() -> None:
    cache, woken = _cache()
    cache.put(build_config_map("a", 7), wake=False)
    cache.put(build_config_map("a", 5))
    assert cache.children(ONE, OWNER_UID)[Ref("ConfigMap", "a")].version == 7
    cache.remove(build_config_map("a", 6))
    assert cache.children(ONE, OWNER_UID)
    assert woken == []


def test_a_change_wakes_the_system_and_its_echo_does_not() -> None:
    cache, woken = _cache()
    cache.put(build_config_map("a", 1))
    cache.put(build_config_map("a", 1))
    assert woken == [ONE]


def test_what_serves_a_system_wakes_its_own_owner_and_is_no_child_of_the_system() -> None:
    cache, woken = _cache()
    labels = {
        "app.kubernetes.io/part-of": "one",
        "app.kubernetes.io/instance": "nightly",
        "tradingoperator.io/owner-kind": "Backup",
    }
    nightly = Key("ns", "nightly", "Backup")
    cache.put(build_config_map("a", 1, labels=labels, ownerReferences=[]))
    pod = build_pod("p", 2)
    pod["metadata"]["labels"] = labels
    cache.put(pod)
    assert woken == [nightly, nightly]
    assert cache.children(ONE, OWNER_UID) == {}
    assert cache.pods(ONE) == ()
    assert [ref.name for ref in cache.children(nightly, "its-uid")] == ["a"]
    assert len(cache.pods(nightly)) == 1


def test_who_loses_a_child_by_its_labels_is_woken() -> None:
    cache, woken = _cache()
    cache.put(build_config_map("a", 1), wake=False)
    cache.put(build_config_map("a", 2, labels={}))
    assert woken == [ONE]
    assert cache.children(ONE, OWNER_UID).keys() == {Ref("ConfigMap", "a")}


def test_what_a_resources_children_made_is_found_by_its_owner_and_not_by_labels_alone() -> None:
    cache, _ = _cache()
    cache.put({**build_config_map("cron", 1), "kind": "CronJob"})
    ours = [{"uid": "uid-cron", "kind": "CronJob", "name": "cron"}]
    theirs = [{"uid": "another", "kind": "CronJob", "name": "cron"}]
    for at, (name, owners) in enumerate((("ours", ours), ("theirs", theirs), ("nobodys", []))):
        job = build_config_map(name, at + 2, ownerReferences=owners)
        cache.put({**job, "kind": "Job"})
    found = cache.offspring(ONE, OWNER_UID, "Job")
    assert [each["metadata"]["name"] for each in found] == ["ours"]


def test_a_key_is_written_as_people_write_it() -> None:
    assert str(ONE) == "ns/one"
    assert str(Key("ns", "nightly", "Backup")) == "Backup ns/nightly"


def test_the_echo_of_our_own_write_wakes_nobody_even_before_the_answer() -> None:
    cache, woken = _cache()
    written = build_config_map("a", 3)
    with cache.own_write(written) as answer:
        cache.put(build_config_map("a", 3))
        assert answer(written).version == 3
    cache.put(build_config_map("a", 3))
    assert woken == []


def test_what_follows_our_own_write_wakes_the_system_even_before_the_answer() -> None:
    cache, woken = _cache()
    with cache.own_write(build_config_map("a", 0)) as answer:
        cache.put(build_config_map("a", 3))
        cache.put(build_config_map("a", 4))
        assert answer(build_config_map("a", 3)).version == 4
    assert woken == [ONE]


def test_a_write_whose_answer_is_lost_is_looked_at_again_when_the_watch_tells_of_it() -> None:
    cache, woken = _cache()

    def lose_answer() -> None:
        with cache.own_write(build_config_map("a", 0)):
            cache.put(build_config_map("a", 3))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        lose_answer()
    assert woken == [ONE]


def test_two_systems_that_want_one_name_at_the_same_time_do_not_trip_over_each_other() -> None:
    cache, woken = _cache()
    first = cache.own_write(build_config_map("a", 0))
    first.__enter__()
    with cache.own_write(build_config_map("a", 0)) as answer:
        first.__exit__(None, None, None)
        cache.put(build_config_map("a", 3))
        assert answer(build_config_map("a", 3)).version == 3
    assert woken == []


def test_a_list_removes_what_it_lacks_but_not_what_is_newer_than_it() -> None:
    cache, _ = _cache()
    for name, version in (("gone", 3), ("stays", 4), ("new", 9)):
        cache.put(build_config_map(name, version))
    cache.replace("ConfigMap", None, [cache.read(build_config_map("stays", 4))], version=5)
    assert {ref.name for ref in cache.children(ONE, OWNER_UID)} == {"stays", "new"}
    assert cache.bereft == {ONE}


def test_a_list_of_another_kind_or_namespace_removes_nothing() -> None:
    cache, _ = _cache()
    cache.put(build_config_map("a", 3))
    cache.replace("Service", None, [], version=5)
    cache.replace("ConfigMap", "other", [], version=5)
    assert len(cache) == 1


def test_a_child_that_we_deleted_ourselves_leaves_nobody_bereft() -> None:
    cache, _ = _cache()
    live = build_config_map("a", 3)
    cache.put(live)
    cache.remove(live, expected=True)
    assert cache.bereft == set()
    cache.put(build_config_map("a", 4))
    cache.remove(build_config_map("a", 5))
    assert cache.bereft == {ONE}


def test_children_of_a_former_system_of_the_same_name_are_not_children() -> None:
    cache, _ = _cache()
    cache.put(build_config_map("old", 1, ownerReferences=[{"uid": "former"}]))
    cache.put(build_config_map("ownerless", 2, ownerReferences=[]))
    cache.put(build_config_map("unlabelled", 3, labels={}))
    children = cache.children(ONE, OWNER_UID)
    assert {ref.name for ref in children} == {"ownerless", "unlabelled"}


@pytest.mark.parametrize(
    ("kind", "owner", "ours"),
    [
        ("PersistentVolumeClaim", "uid-db", True),
        ("PersistentVolumeClaim", "uid-db-0", True),
        ("PersistentVolumeClaim", "uid-former", False),
        ("PersistentVolumeClaim", "unknown", False),
        ("ConfigMap", "uid-db", False),
    ],
)
def test_a_claim_that_a_workload_or_pod_of_the_system_owns_is_its_child(
    kind: str, owner: str, ours: bool
) -> None:
    cache, _ = _cache()
    cache.put({**build_config_map("db", 1), "kind": "StatefulSet"})
    former = build_config_map("former", 1, ownerReferences=[{"uid": "former system"}])
    cache.put({**former, "kind": "StatefulSet"})
    cache.put(build_pod("db-0", 1))
    cache.put({**build_config_map("data", 1, ownerReferences=[{"uid": owner}]), "kind": kind})
    assert (Ref(kind, "data") in cache.children(ONE, OWNER_UID)) is ours


def test_an_object_that_changes_hands_leaves_its_former_system() -> None:
    cache, woken = _cache()
    cache.put(build_config_map("a", 1))
    other = {"app.kubernetes.io/part-of": "two"}
    cache.put(build_config_map("a", 2, labels=other, ownerReferences=[]))
    assert cache.children(ONE, OWNER_UID) == {}
    assert Ref("ConfigMap", "a") in cache.children(Key("ns", "two"), "any")
    assert woken == [ONE, Key("ns", "two")]


def test_managed_fields_are_dropped_but_the_place_of_our_update_is_known() -> None:
    cache, _ = _cache()
    ours = {"manager": "trading-operator", "operation": "Update"}
    status = {**ours, "subresource": "status"}
    others = {"manager": "kubectl", "operation": "Update"}
    entry = cache.put(build_config_map("a", 1, managedFields=[status, others, ours]))
    assert entry.update_entry == 2
    assert "managedFields" not in entry.manifest["metadata"]
    applied = [{**ours, "operation": "Apply"}]
    assert cache.put(build_config_map("a", 2, managedFields=applied)).update_entry is None


def test_a_pod_that_says_nothing_new_wakes_nobody() -> None:
    cache, woken = _cache()
    cache.put(build_pod("p", 1, phase="Pending"))
    cache.put(build_pod("p", 2, phase="Pending", hostIP="10.0.0.1"))
    assert woken == [ONE]
    cache.put(build_pod("p", 3, phase="Running"))
    assert woken == [ONE, ONE]
    (facts,) = cache.pods(ONE)
    assert (facts.phase, facts.component, facts.revision) == ("Running", "api", "r1")
    entry = cache.get(Id("Pod", "ns", "p"))
    assert entry is not None
    assert entry.uid == "uid-p"


def test_bereft_systems_that_are_not_known_are_forgotten() -> None:
    cache, _ = _cache()
    for system, name in (("one", "a"), ("gone", "b")):
        labels = {"app.kubernetes.io/part-of": system}
        cache.put(build_config_map(name, 1, labels=labels))
        cache.remove(build_config_map(name, 2))
    cache.forget_bereft([ONE, Key("ns", "other")])
    assert cache.bereft == {ONE}
