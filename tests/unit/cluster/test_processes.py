import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.processes import Component, ProcessTable, is_own_command, read_start_time

SLEEP = Component("sleeper", ("sleep", "300"))
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ProcessTable]:
    table = ProcessTable(tmp_path / "pids", tmp_path / "logs")
    yield table
    for name in list(table.names()):
        table.stop(name, grace_seconds=0)


def started(table: ProcessTable, component: Component) -> int:
    table.start(component)
    pid = table.pid_of(component.name)
    assert pid is not None
    return pid


def test_a_running_component_is_not_started_twice(table: ProcessTable) -> None:
    assert started(table, SLEEP) == started(table, SLEEP)


def test_another_command_replaces_the_running_one(table: ProcessTable) -> None:
    first = started(table, SLEEP)
    assert started(table, Component("sleeper", ("sleep", "301"))) != first
    assert read_start_time(first) is None


def test_a_killed_component_counts_as_stopped_and_starts_again(table: ProcessTable) -> None:
    first = started(table, SLEEP)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert table.pid_of("sleeper") is None
    assert started(table, SLEEP) != first


def test_a_component_that_ended_by_itself_is_told_from_one_that_was_stopped(
    table: ProcessTable,
) -> None:
    started(table, Component("stopped", ("sleep", "300")))
    table.stop("stopped", grace_seconds=0)
    killed = started(table, SLEEP)
    assert table.find_ended() == []
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    assert table.find_ended() == ["sleeper"]


def test_a_component_that_ignores_the_request_to_end_is_killed(table: ProcessTable) -> None:
    pid = started(table, Component("deaf", (sys.executable, "-c", DEAF)))
    table.stop("deaf", grace_seconds=0.2)
    assert read_start_time(pid) is None


def test_a_foreign_process_that_got_a_recorded_pid_is_left_alone(table: ProcessTable) -> None:
    started(table, SLEEP)
    record = table._pids / "sleeper.json"
    time.sleep(0.05)  # The kernel counts starts in hundredths of a second.
    with subprocess.Popen(["sleep", "300"]) as foreign:
        old = table.pid_of("sleeper")
        text = record.read_text(encoding="utf-8")
        record.write_text(text.replace(f'"{old}"', f'"{foreign.pid}"'), encoding="utf-8")
        table.stop("sleeper", grace_seconds=0)
        assert foreign.poll() is None
        foreign.kill()
    assert old is not None
    os.kill(old, signal.SIGKILL)
    os.waitpid(old, 0)


def test_a_component_writes_both_streams_to_its_log(table: ProcessTable) -> None:
    talk = Component("talker", ("/bin/sh", "-c", "echo out; echo err >&2; exec sleep 300"))
    started(table, talk)
    log = table.log_of("talker")
    for _ in range(200):
        if log.read_text(encoding="utf-8").count("\n") == 2:
            break
        time.sleep(0.02)
    assert log.read_text(encoding="utf-8").split() == ["out", "err"]


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (["/usr/bin/containerd-shim-runc-v2", "-address", "/s/node/containerd.sock"], True),
        (["python3", "-m", "cluster.storage_provisioner", "--root", "/s/node/volumes"], True),
        (["kubectl", "--kubeconfig", "/s/node/admin.kubeconfig", "get", "pods"], False),
        (["/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd.sock"], False),
        (["containerd", "--config", "/s/node-2/config/containerd.toml"], False),
        ([], False),
    ],
)
def test_only_our_own_programs_with_our_state_folder_are_ours(
    arguments: list[str], own: bool
) -> None:
    assert is_own_command(arguments, Path("/s/node")) is own
