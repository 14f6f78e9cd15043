"""The mutation test itself: an operator with a planted bug does not pass it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.api import ClusterHandle
from integration.kube_client import KubeClient
from mutation.bases import build_bases
from mutation.cases import Case
from mutation.changes import MISSING, put
from mutation.operator_under_test import running_operator
from mutation.run import run_cases
from mutation.schema import Steps

SOURCE = Path(__file__).parents[2] / "operator"
PATIENCE_SECONDS, STILL_SECONDS = 15.0, 1.0
CRASHES = """

_sound = parse_spec


def parse_spec(body):
    if body["spec"].get("mode") == "Live":
        raise KeyError("mode")
    return _sound(body)
"""
LEAVES_BEHIND = """

_plan = plan_prune


def plan_prune(*args, **kwargs):
    return tuple(ref for ref in _plan(*args, **kwargs) if ref.kind != "Service")
"""
NEVER_RESTS = """

_restful = reconcile_trading_system


async def reconcile_trading_system(kube, operand, body, now, **more):
    report = await _restful(kube, operand, body, now, **more)
    if body["spec"].get("mode") != "Live":
        return report
    report.status["componentsReady"] = now.strftime("%H%M%S%f")
    return Report(report.status, 0.2, report.body)
"""
TWIN = {"name": "twin", "image": "registry.example/twin:1", "ports": [{"name": "a", "port": 1}]}


@pytest.mark.parametrize(
    ("file", "bug", "change", "found"),
    [
        ("controllers/parse.py", CRASHES, (("mode",), "Live"), "KeyError"),
        ("plan/prune.py", LEAVES_BEHIND, (("services", 2), TWIN), "twin is left over"),
        (
            "controllers/trading_system.py",
            NEVER_RESTS,
            (("mode",), "Live"),
            "does not stop writing",
        ),
    ],
)
async def test_a_planted_bug_is_found_with_the_change_that_shows_it(
    control_plane: ClusterHandle,
    client: KubeClient,
    tmp_path: Path,
    file: str,
    bug: str,
    change: tuple[Steps, Any],
    found: str,
) -> None:
    source = tmp_path / "operator-with-a-bug"
    shutil.copytree(SOURCE, source)
    with (source / "trading_operator" / file).open("a") as module:
        module.write(bug)
    steps, value = change
    base = build_bases()["chain"]
    if steps == ("services", len(base["services"])):
        base["services"].append(MISSING)
    case = Case(7, "chain", "meaning", "planted", put(base, steps, value))
    with running_operator(control_plane, client, tmp_path, source, namespaces=1) as operator:
        run = await run_cases(operator, 1, [case], {"chain": 1}, PATIENCE_SECONDS, STILL_SECONDS)
    told = run.results.describe(run.results.failures)
    assert [failure.case.index for failure in run.results.failures] == [7], told
    assert found in told
    assert "changed spec." in told
    assert "make test-mutation SEED=1 CASES=7" in told


async def test_an_operator_without_a_bug_passes(
    control_plane: ClusterHandle, client: KubeClient, tmp_path: Path
) -> None:
    spec = put(build_bases()["chain"], ("mode",), "Live")
    with running_operator(control_plane, client, tmp_path, namespaces=1) as operator:
        run = await run_cases(
            operator, 1, [Case(7, "chain", "valid", "spec.mode", spec)], {"chain": 1}
        )
    assert run.results.failures == []
    assert run.results.endings == {"Ready": 1}
