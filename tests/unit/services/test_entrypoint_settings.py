"""The databases' entry point reads a password as the services read it."""

import subprocess
from pathlib import Path

import pytest

from trading_services.contract.settings import ServiceSettings, read_settings

ENTRYPOINT = Path(__file__).parents[3] / "images/postgresql/entrypoint.sh"
# All but its last line, which runs it.
READ = 'source <(sed \'$d\' "$0"); read_setting POSTGRES_PASSWORD; printf %s "$POSTGRES_PASSWORD"'


def _read(path: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", READ, str(ENTRYPOINT)],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "POSTGRES_PASSWORD_FILE": str(path)},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r\n\r\n", "\r"])
def test_a_password_file_gives_both_sides_the_same_password(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(f"p\u00e4ss word{ending}".encode())
    settings = read_settings(ServiceSettings, {"TIMESCALEDB_PASSWORD_FILE": str(path)})
    assert _read(path).stdout.decode() == settings.timescaledb_password.get_secret_value()
    assert settings.timescaledb_password.get_secret_value() == "p\u00e4ss word"


@pytest.mark.parametrize("content", [b"hunter\nseven", b"hunter\rseven\n", b"hunter\tseven"])
def test_a_control_character_is_refused_with_the_setting_but_not_the_value(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    answer = _read(path)
    assert answer.returncode == 1
    assert b"POSTGRES_PASSWORD holds a control character" in answer.stderr
    assert b"hunter" not in answer.stderr + answer.stdout
