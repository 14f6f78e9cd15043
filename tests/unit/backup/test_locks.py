"""A lock of another Job in the way: waited for, until the pod is told to stop.

In restic's place is a script with its exit codes: the real one waits for 35 minutes.
"""

from pathlib import Path

import pytest

from trading_backup.errors import BackupError, StoppedError
from trading_backup.programs import Programs
from trading_backup.restic import Restic
from trading_backup.stopping import Stop

LOCKED = 11


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Stop) -> Restic:
    """A repository whose checks find it locked as often as a file has lines."""
    script = tmp_path / "restic"
    script.write_text(
        "#!/bin/sh\n"
        'case "$*" in *unlock*) exit 0;; esac\n'
        f"test -s {tmp_path}/busy || exit 0\n"
        f"sed -i 1d {tmp_path}/busy\n"
        f"exit {LOCKED}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Restic(Programs(stop, tmp_path), "host", {})


def _keep_busy(folder: Path, times: int) -> None:
    (folder / "busy").write_text("x\n" * times)


def test_a_check_waits_for_as_long_as_a_drill_reads(restic: Restic, tmp_path: Path) -> None:
    _keep_busy(tmp_path, 12)
    restic.check("0%")
    assert (tmp_path / "busy").read_text() == ""


def test_a_pod_that_is_told_to_stop_waits_no_longer(
    restic: Restic, tmp_path: Path, stop: Stop
) -> None:
    _keep_busy(tmp_path, 12)
    stop.asked = True
    with pytest.raises(StoppedError):
        restic.check("0%")


def test_another_failure_ends_the_check_at_once(restic: Restic, tmp_path: Path) -> None:
    (tmp_path / "restic").write_text("#!/bin/sh\nexit 12\n")
    with pytest.raises(BackupError) as caught:
        restic.check("0%")
    assert caught.value.reason == "WrongPassword"
