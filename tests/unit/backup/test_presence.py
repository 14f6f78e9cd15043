"""Whether another Job is at work: seen while it is, forgotten as soon as it is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trading_backup.presence import present, taking_turns

_HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from trading_backup.presence import present\n"
    "with present(Path(sys.argv[1])) as presence:\n"
    "    presence.begin_writing()\n"
    "    print(presence.alone, presence.torn, flush=True)\n"
    "    time.sleep(60)\n"
)


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": "operator"},
    )


def test_who_comes_first_is_alone_and_the_next_is_not(tmp_path: Path) -> None:
    with present(tmp_path) as first, present(tmp_path) as second:
        assert (first.alone, second.alone) == (True, False)
    with present(tmp_path) as again:
        assert again.alone


def test_a_killed_job_leaves_nothing_but_the_word_that_it_wrote(tmp_path: Path) -> None:
    with _start(tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True True\n"
        with present(tmp_path) as presence:
            assert (presence.alone, presence.torn) == (False, False)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with present(tmp_path) as presence:
        assert (presence.alone, presence.torn) == (True, True)
        presence.begin_writing()
        presence.end_writing()
        assert not presence.torn
    with present(tmp_path) as presence:
        assert not presence.torn


def test_in_a_bucket_and_where_nothing_can_be_written_nobody_is_seen(tmp_path: Path) -> None:
    for place in (None, tmp_path / "gone"):
        with present(place) as presence:
            presence.begin_writing()
            assert (presence.alone, presence.torn) == (False, False)
            presence.end_writing()


def test_those_who_make_sets_do_so_one_after_the_other(tmp_path: Path) -> None:
    class WaitingError(Exception):
        """Somebody waits."""

    def wait() -> None:
        raise WaitingError

    with taking_turns(tmp_path, wait):
        with pytest.raises(WaitingError), taking_turns(tmp_path, wait):
            pass
        with taking_turns(None, wait):  # in a bucket
            pass
    with taking_turns(tmp_path, wait):
        pass
