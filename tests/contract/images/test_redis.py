"""The Redis image: its arguments, its password, its data across a crash."""

import os
import socket
from pathlib import Path

import pytest

from contract.images.image_process import ImageProcess, find_free_port, run_image, run_once

PASSWORD = "only-for-tests"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 999, 1000)
    return folder


def _ask(port: int, *commands: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        answers = []
        for command in commands:
            connection.sendall(command.encode() + b"\r\n")
            answers.append(connection.recv(4096).decode().strip())
    return answers[-1]


def _answers(port: int) -> bool:
    try:
        return _ask(port, f"AUTH {PASSWORD}", "PING") == "+PONG"
    except OSError:
        return False


def _build_arguments(port: int) -> list[str]:
    persistence = ["--appendonly", "yes", "--appendfsync", "always"]
    address = ["--bind", "127.0.0.1", "--port", str(port)]
    return [*address, "--requirepass", PASSWORD, *persistence]


def test_data_survives_a_crash_and_a_wrong_password_is_refused(data: Path, tmp_path: Path) -> None:
    port = find_free_port()
    mounts, arguments = {"/data": data}, _build_arguments(port)
    with run_image("redis", tmp_path / "log", mounts, {}, arguments) as process:
        process.wait_until(lambda: _answers(port))
        assert _ask(port, "PING").startswith("-NOAUTH")
        assert _ask(port, "AUTH guessed").startswith("-WRONGPASS")
        assert _ask(port, f"AUTH {PASSWORD}", "SET position 42") == "+OK"
        process.kill()
    with run_image("redis", tmp_path / "log", mounts, {}, arguments) as process:
        process.wait_until(lambda: _answers(port))
        assert _ask(port, f"AUTH {PASSWORD}", "GET position") == "$2\r\n42"
        _assert_restricted(process, data)
        assert process.stop() == 0


def _assert_restricted(process: ImageProcess, data: Path) -> None:
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in data.rglob("*")}
    assert owners == {(999, 1000)}
    assert "Read-only file system" not in process.output


@pytest.mark.parametrize(
    ("image", "program", "answer"),
    [("redis", "redis-cli", "redis-cli 8."), ("postgresql", "pg_dump", "pg_dump (PostgreSQL) 17")],
)
def test_entry_point_hands_other_programs_on(image: str, program: str, answer: str) -> None:
    output = run_once(image, "docker-entrypoint.sh", program, "--version")
    assert output.startswith(answer)
