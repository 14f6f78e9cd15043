"""Promotion on a real API server: gates, approval, what services read, and the way back."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.trainings import (
    OPERATOR,
    build_training,
    command,
    condition,
    edit,
    end_training,
    phase,
    selected,
    start_system,
    status,
    trained,
)

WINDOW = {"window": "10s"}  # the next version waits for so long
AUTO = {"service": "strategy", "mode": "Auto", "observation": WINDOW}
GATES = [
    {"metric": "oosSharpe", "op": ">=", "value": "0.5"},
    {"metric": "oosSharpe", "op": ">=", "relativeTo": "Champion"},
]
Manifest = dict[str, Any]


class Strategy:
    """What the strategy's pods would answer, were they more than kwok's pretence."""

    def __init__(self, port: int) -> None:
        self.models: list[Manifest] = []
        strategy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = json.dumps({"models": strategy.models}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def say(self, version: str, state: str = "Loaded", **more: Any) -> None:
        """Answer so from now on."""
        line = {"type": "lightgbm-direction", "timeframe": "1d", "id": version, "state": state}
        self.models = [{**line, "trades": version, "scored": 0, "errors": 0, "judged": 0, **more}]

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def strategy(port: int) -> Iterator[Strategy]:
    made = Strategy(port)
    yield made
    made.close()


def _start(space: Namespace, port: int, **spec: Any) -> None:
    start_system(space, port)
    # The operator asks pods by their address; these have none of their own.
    for pod in space.list("pods", "app.kubernetes.io/component=strategy"):
        body = {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
        path = f"{space.path('pods', pod['metadata']['name'])}/status"
        space.client.request("PATCH", path, body, "application/merge-patch+json")
    space.create("modeltrainingjobs", build_training(**spec))


def _uids(space: Namespace) -> set[str]:
    return {pod["metadata"]["uid"] for pod in space.list("pods", "app.kubernetes.io/component")}


def _promoted(space: Namespace) -> str:
    return str(status(space).get("promotion", {}).get("phase", ""))


@pytest.mark.acceptance("A05", "A22")
def test_a_version_that_passes_its_gates_reaches_the_service_and_no_pod_is_restarted(
    namespace: Namespace, operators: Operators, strategy: Strategy, port: int
) -> None:
    operators.start_leading(**OPERATOR)
    _start(namespace, port, promotion=AUTO, gates=GATES)
    before = _uids(namespace)
    end_training(namespace, "daily-1-1", trained("v1"))
    eventually(lambda: [each["id"] for each in selected(namespace)] == ["v1"])
    (line,) = selected(namespace)
    assert line["by"] == "ModelTrainingJob daily"
    assert line["digest"] == trained("v1")["version"]["digest"]
    told = {
        pod["metadata"]["annotations"].get("tradingoperator.io/models")
        for pod in namespace.list("pods", "app.kubernetes.io/component=strategy")
    }
    assert None not in told
    assert _promoted(namespace) == "Loading"
    strategy.say("v1", "Waiting")
    strategy.say("v1")
    eventually(lambda: _promoted(namespace) == "Observing")
    eventually(lambda: _promoted(namespace) == "Kept")
    assert condition(namespace, "ModelHealthy")[:2] == ("True", "ModelKept")
    assert condition(namespace, "GatesPassed")[0] == "True"
    assert _uids(namespace) == before
    history = [(each["event"], each["version"]) for each in status(namespace)["promotionHistory"]]
    assert history == [("Promoted", "v1"), ("Kept", "v1")]


def _promote(space: Namespace, strategy: Strategy, version: str, run: int) -> None:
    strategy.say(version)
    end_training(space, f"daily-{run}-1", trained(version))
    eventually(lambda: _promoted(space) == "Kept" and _champion(space) == version)


def _champion(space: Namespace) -> str:
    return str(status(space).get("champion", {}).get("id", ""))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"state": "Refused", "message": "SHA-256 differs"}, "refused it: SHA-256 differs"),
        (
            {"judged": 30, "scored": 30, "live": {"liveHitRate": "0.31"}},
            "liveHitRate is 0.31 after 30 bars, not >= 0.4",
        ),
        ({"scored": 90, "errors": 10}, "failed to score 10 of 100 bars"),
    ],
)
def test_a_version_that_fails_in_use_goes_back_by_itself_and_is_not_tried_again(
    namespace: Namespace,
    operators: Operators,
    strategy: Strategy,
    port: int,
    said: Manifest,
    words: str,
) -> None:
    operators.start_leading(**OPERATOR)
    live = [{"metric": "liveHitRate", "op": ">=", "value": "0.4"}]
    rules = {**AUTO, "observation": {**WINDOW, "live": live}}
    _start(namespace, port, promotion=rules)
    _promote(namespace, strategy, "v1", 1)
    edit(namespace, seed=8)
    strategy.say("v2", **said)
    end_training(namespace, "daily-2-1", trained("v2"))
    eventually(lambda: _promoted(namespace) == "RolledBack")
    eventually(lambda: [each["id"] for each in selected(namespace)] == ["v1"])
    told = status(namespace)
    assert told["champion"]["id"] == "v1"
    assert [each["id"] for each in told["blocked"]] == ["v2"]
    assert words in told["promotionHistory"][-1]["why"]
    assert condition(namespace, "ModelHealthy")[:2] == ("False", "ModelRolledBack")
    # The same version once more is no reason to try it again.
    command(namespace, "retry", "1")
    end_training(namespace, "daily-3-1", trained("v2"))
    eventually(lambda: status(namespace)["run"]["number"] == 3 and phase(namespace) == "Succeeded")
    operators.settle(2.0)
    assert _champion(namespace) == "v1"


def test_a_version_trained_meanwhile_waits_until_the_watched_one_is_decided_about(
    namespace: Namespace, operators: Operators, strategy: Strategy, port: int
) -> None:
    leader = operators.start_leading(**OPERATOR)
    live = [{"metric": "liveHitRate", "op": ">=", "value": "0.4"}]
    _start(namespace, port, promotion={**AUTO, "observation": {**WINDOW, "live": live}})
    _promote(namespace, strategy, "v1", 1)
    edit(namespace, seed=8, promotion={"observation": {"window": "300s"}})
    strategy.say("v2")
    end_training(namespace, "daily-2-1", trained("v2"))
    eventually(lambda: _promoted(namespace) == "Observing" and _champion(namespace) == "v2")
    edit(namespace, seed=9)
    end_training(namespace, "daily-3-1", trained("v3"))
    eventually(lambda: status(namespace)["run"]["number"] == 3 and phase(namespace) == "Succeeded")
    leader.kill()
    operators.start_leading(**OPERATOR)
    assert (_champion(namespace), _promoted(namespace)) == ("v2", "Observing")
    strategy.say("v2", judged=30, scored=30, live={"liveHitRate": "0.31"})
    eventually(lambda: _champion(namespace) == "v3")
    history = [(each["event"], each["version"]) for each in status(namespace)["promotionHistory"]]
    assert history[-3:] == [("Promoted", "v2"), ("RolledBack", "v2"), ("Promoted", "v3")]
    assert [each["id"] for each in status(namespace)["previous"]] == ["v1"]


def test_a_worse_or_a_leaking_version_is_refused_with_every_gate_and_its_value(
    namespace: Namespace, operators: Operators, strategy: Strategy, port: int
) -> None:
    operators.start_leading(**OPERATOR)
    _start(namespace, port, promotion=AUTO, gates=GATES)
    _promote(namespace, strategy, "v1", 1)
    edit(namespace, seed=8)
    comparison = {
        "championId": "v1",
        "champion": {"oosSharpe": "0.6"},
        "challenger": {"oosSharpe": "0.59"},
        "bars": 100,
    }
    leaks = {"check": "FutureShift", "passed": False, "value": "0.3", "bound": "0.1"}
    shuffled = trained()["leakage"][0]
    said = trained(
        "v2", comparison=comparison, leakage=[shuffled, leaks], metrics={"oosSharpe": "NaN"}
    )
    end_training(namespace, "daily-2-1", said)
    eventually(lambda: _promoted(namespace) == "Refused")
    gates = {each["name"]: each for each in status(namespace)["gates"]}
    assert {name: each["passed"] for name, each in gates.items()} == {
        "oosSharpe >= 0.5": False,
        "oosSharpe >= champion": False,
        "LabelShuffle": True,
        "FutureShift": False,
    }
    assert gates["oosSharpe >= champion"]["value"] == "0.59"
    assert gates["oosSharpe >= champion"]["bound"] == "0.6"
    assert "NaN" in gates["oosSharpe >= 0.5"]["message"]
    assert _champion(namespace) == "v1"
    assert [each["id"] for each in selected(namespace)] == ["v1"]
    command(namespace, "approve", "v2")
    eventually(
        lambda: "failed its gates" in status(namespace).get("handled", {}).get("refused", "")
    )
    assert condition(namespace, "Stalled")[1] == "CommandRefused"


def test_a_person_approves_goes_back_and_takes_the_command_back(
    namespace: Namespace, operators: Operators, strategy: Strategy, port: int
) -> None:
    operators.start_leading(**OPERATOR)
    _start(namespace, port, promotion={"service": "strategy"})
    end_training(namespace, "daily-1-1", trained("v1"))
    eventually(lambda: _promoted(namespace) == "AwaitingApproval")
    assert condition(namespace, "Stalled")[:2] == ("True", "AwaitingApproval")
    assert "approve=v1" in condition(namespace, "Stalled")[2]
    assert selected(namespace) == []
    strategy.say("v1")
    command(namespace, "approve", "v1")
    eventually(lambda: _champion(namespace) == "v1")
    edit(namespace, seed=8)
    end_training(namespace, "daily-2-1", trained("v2"))
    command(namespace, "approve", "v2")
    eventually(lambda: _champion(namespace) == "v2")
    assert status(namespace)["promotionHistory"][-1]["by"] == "a person"
    command(namespace, "rollback-to", "previous")
    eventually(lambda: [each["id"] for each in selected(namespace)] == ["v1"])
    assert _champion(namespace) == "v1"
    command(namespace, "rollback-to", "nobody")
    eventually(lambda: "no version nobody" in status(namespace)["handled"].get("refused", ""))


def test_of_two_for_one_line_of_models_the_older_one_counts_and_deleted_it_changes_nothing(
    namespace: Namespace, operators: Operators, strategy: Strategy, port: int
) -> None:
    operators.start_leading(**OPERATOR)
    _start(namespace, port, promotion=AUTO)
    _promote(namespace, strategy, "v1", 1)
    namespace.create("modeltrainingjobs", build_training("other", promotion=AUTO))
    eventually(lambda: condition(namespace, "Stalled", "other")[1] == "LineTaken")
    assert "ModelTrainingJob daily" in condition(namespace, "Stalled", "other")[2]
    namespace.delete("modeltrainingjobs", "daily")
    eventually(lambda: condition(namespace, "Stalled", "other")[1] != "LineTaken")
    # What is traded stays, and the next one of the line knows of it.
    eventually(lambda: status(namespace, "other").get("champion", {}).get("id") == "v1")
    assert [each["id"] for each in selected(namespace)] == ["v1"]


def test_what_makes_no_sense_in_itself_is_refused_by_the_api_server(namespace: Namespace) -> None:
    unknown = [{"metric": "sharpness", "op": ">=", "value": "1"}]
    both = [{"metric": "oosAuc", "op": ">=", "value": "1", "relativeTo": "Champion"}]
    relative = [{"metric": "oosAuc", "op": ">=", "relativeTo": "Champion"}]
    cases: list[tuple[Manifest, str]] = [
        ({"gates": unknown, "promotion": AUTO}, "mend gates[].metric"),
        ({"gates": both, "promotion": AUTO}, "set either value or relativeTo"),
        ({"gates": relative}, "set promotion"),
        ({"command": ["train"]}, "set image"),
        ({"deadline": "1s"}, "deadline must be at least 10s"),
        (
            {
                "dataset": {
                    "source": "db",
                    "symbols": ["A"],
                    "from": "2018-01-01",
                    "to": "2017-01-01",
                }
            },
            "dataset.to must be after dataset.from",
        ),
    ]
    for spec, words in cases:
        with pytest.raises(httpx.HTTPStatusError, match=words.replace("[", r"\[")):
            namespace.create("modeltrainingjobs", build_training(**spec))
