"""Bad changes of every kind on a real node: the system serves on, and returns by itself."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.small_system import build_datastore, build_service, build_system
from e2e.trading_cluster import TradingCluster, is_ready
from e2e.waiting import eventually

SYSTEM = "desk"
# It serves what its config says, and /alive for as long as nobody takes that away.
SERVE = """import http.server, json, os, sys
greeting = json.load(open("/config/app.json"))["greeting"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(greeting.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
CHECK = {"path": "/", "period": "1s", "timeout": "1s", "failureThreshold": 2}
CRASH = "import sys; print('no broker key in the config', flush=True); sys.exit(3)"
# It answers for a while, then hangs with its port open.
HANG = SERVE.replace(
    "self.send_response(200)",
    "import time; time.sleep(0 if time.monotonic() < START + 4 else 99); self.send_response(200)",
).replace("greeting =", "import time; START = time.monotonic()\ngreeting =")
EAT = "data = [b'x' * 2**20 * n for n in range(1, 400)]"
SECONDS = 90.0

Spec = dict[str, Any]


def _python(program: str) -> list[str]:
    return ["python3", "-c", program]


def _build(configs: str = '{"greeting": "good"}') -> Spec:
    feed = build_service(
        "feed",
        command=_python(SERVE),
        replicas=2,
        health=CHECK,
        liveness=CHECK,
        configs=[{"name": "app", "mountPath": "/config"}],
        resources={"limits": {"memory": "96Mi"}, "requests": {"memory": "32Mi", "cpu": "10m"}},
        terminationGracePeriod="2s",
    )
    strategy = build_service(
        "strategy",
        dependsOn=[{"name": "feed"}, {"name": "db"}],
        command=_python(SERVE),
        workload="SingleWriter",
        health=CHECK,
        configs=[{"name": "app", "mountPath": "/config"}],
        terminationGracePeriod="2s",
    )
    return build_system(
        SYSTEM,
        services=[feed, strategy],
        datastores=[build_datastore("db", "PostgreSQL")],
        configs=[{"name": "app", "files": {"app.json": configs}}],
        rollout={"bakeTime": "8s", "progressDeadline": "60s"},
    )


def _changed(component: str, **fields: Any) -> Spec:
    """Return the system with a bad component, and one that changes with it."""
    system = copy.deepcopy(_build())
    for each in (*system["spec"]["services"], *system["spec"]["datastores"]):
        if each["name"] == component:
            each.update(fields)
    (strategy,) = (s for s in system["spec"]["services"] if s["name"] == "strategy")
    strategy["env"] = [{"name": "CHANGED", "value": "yes"}]
    return system


BAD: dict[str, tuple[Spec, str, str]] = {
    "an image that does not exist": (
        _changed("feed", image="nowhere.invalid/feed:2", imagePullPolicy="IfNotPresent"),
        "feed",
        "nowhere.invalid/feed:2",
    ),
    "a program that crashes": (
        _changed("feed", command=_python(CRASH)),
        "feed",
        "no broker key in the config",
    ),
    "a check that fails": (
        _changed("feed", health={**CHECK, "command": ["false"], "path": None}, liveness=None),
        "feed",
        "Readiness probe failed",
    ),
    "a config that breaks the program": (_build("{greeting}"), "feed", "JSONDecodeError"),
    "a memory limit that kills it": (
        _changed("feed", command=_python(EAT)),
        "feed",
        "OOMKilled",
    ),
    "a parameter that keeps the database from starting": (
        _changed("db", parameters={"max_connections": "none at all"}),
        "db",
        "max_connections",
    ),
    "a program that hangs after its start": (
        _changed("strategy", command=_python(HANG), liveness=CHECK),
        "strategy",
        "",
    ),
}


def _without_none(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {name: _without_none(each) for name, each in spec.items() if each is not None}
    return [_without_none(each) for each in spec] if isinstance(spec, list) else spec


@pytest.fixture(scope="module")
def desk(trading: TradingCluster) -> Iterator[str]:
    """The namespace of a system that was proven good."""
    with trading.namespace("back") as namespace:
        trading.apply(namespace, _build())
        trading.wait_ready(namespace, SYSTEM)
        eventually(lambda: _phase(trading, namespace) == "Proven", "a good revision", 60)
        yield namespace
        # What comes after measures how quiet the operator is.
        trading.kubectl("delete", "tradingsystem", SYSTEM, "-n", namespace, "--timeout=60s")
    trading.kubectl("wait", "--for=delete", f"namespace/{namespace}", "--timeout=120s")


def _status(trading: TradingCluster, namespace: str) -> Spec:
    status: Spec = trading.system(namespace, SYSTEM).get("status", {})
    return status


def _phase(trading: TradingCluster, namespace: str) -> str:
    return str(_status(trading, namespace).get("rollout", {}).get("phase", ""))


def _apply(trading: TradingCluster, namespace: str, system: Spec) -> None:
    trading.apply(namespace, _without_none(system))


def _ready_uids(trading: TradingCluster, namespace: str, component: str) -> set[str]:
    pods = trading.pods(namespace, component)
    return {pod["metadata"]["uid"] for pod in pods if is_ready(pod)}


@pytest.mark.acceptance("B03", "C24", "C59", "C60", "E72")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_change_goes_back_by_itself(trading: TradingCluster, desk: str, kind: str) -> None:
    system, component, words = BAD[kind]
    good = _status(trading, desk)["lastGoodRevision"]
    database = {pod["metadata"]["name"] for pod in trading.pods(desk, "db")}
    claims = trading.tools.get("persistentvolumeclaims", "-n", desk)["items"]
    started = time.monotonic()
    _apply(trading, desk, system)
    never_none = set()

    def is_back() -> bool:
        never_none.add(bool(_ready_uids(trading, desk, "feed")))
        return _phase(trading, desk) == "RolledBack"

    eventually(is_back, f"back from {kind}", SECONDS, poll=0.2)
    assert time.monotonic() - started < SECONDS
    assert never_none == {True}  # some pod of the stateless service served at every look
    status = _status(trading, desk)
    assert status["revision"] == status["lastGoodRevision"] == good
    back = trading.condition(desk, SYSTEM, "RolledBack")
    assert back["status"] == "True"
    assert component in back["message"]
    assert words in back["message"]
    assert trading.condition(desk, SYSTEM, "Available")["status"] == "True"
    assert trading.condition(desk, SYSTEM, "Ready")["reason"] == "RolledBack"
    assert trading.condition(desk, SYSTEM, "Stalled")["status"] == "True"
    for pod in trading.pods(desk, "feed"):
        name = pod["metadata"]["name"]
        if is_ready(pod):
            assert trading.get_http(desk, name, 8080, "/") == "good"
    assert {pod["metadata"]["name"] for pod in trading.pods(desk, "db")} == database
    after = trading.tools.get("persistentvolumeclaims", "-n", desk)["items"]
    assert {c["metadata"]["uid"] for c in after} == {c["metadata"]["uid"] for c in claims}
    # The spec of before is good, and nobody has to watch it again.
    _apply(trading, desk, _build())
    trading.wait_ready(desk, SYSTEM)
    eventually(lambda: _phase(trading, desk) == "Proven", "proven again", 60)
