"""What counts as a difference between the plan and the live object."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_operator.manifests.compare import differs

JSON = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=5))
def test_an_object_does_not_differ_from_its_copy(manifest: dict[str, Any]) -> None:
    assert not differs(manifest, copy.deepcopy(manifest))


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"a": 1}, {"a": 1, "defaulted": True}),
        ({"a": {}}, {}),
        ({"a": []}, {"a": None}),
        ({"a": ""}, {}),
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
        ({"requests": {"memory": "1Gi"}}, {"requests": {"memory": "1024Mi", "cpu": "1"}}),
        ({"sizeLimit": "1Mi"}, {"sizeLimit": "1024Ki"}),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "X"}, {"name": "A", "value": "1"}]},
        ),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
            {"volumeMounts": [{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}]},
        ),
        ({"args": ["a", "b"]}, {"args": ["a", "b"]}),
    ],
)
def test_what_the_server_adds_or_writes_otherwise_is_no_difference(wanted: Any, live: Any) -> None:
    assert not differs(wanted, live)


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": {"b": 1}}, {"a": "b"}),
        ({"replicas": 0}, {"replicas": 1}),
        ({"readOnlyRootFilesystem": False}, {}),
        ({"automountServiceAccountToken": False}, {"automountServiceAccountToken": True}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}),
        ({"limits": {"cpu": "1"}}, {}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "lots"}}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": []}),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}),
        ({"args": ["a"]}, {"args": ["a", "b"]}),
        ({"ports": [{"port": 1}]}, {"ports": [{"port": 1}, {"port": 2}]}),
        ({"drop": ["ALL"]}, {"drop": ["ALL", "NET_RAW"]}),
        ({"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}),
        ({"podSelector": {}}, {"podSelector": {"matchLabels": {"a": "1"}}}),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, {"ingress": [{}]}),
        (
            {"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "1"}}}]}]},
            {
                "ingress": [
                    {
                        "from": [
                            {"podSelector": {"matchLabels": {"a": "1"}}, "namespaceSelector": {}}
                        ]
                    }
                ]
            },
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        ),
        (
            {"env": [{"name": "A", "value": ""}]},
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        ),
    ],
)
def test_what_the_plan_sets_and_the_server_has_otherwise_is_a_difference(
    wanted: Any, live: Any
) -> None:
    assert differs(wanted, live)
