"""Child programs: what a pipe proves, and how all of it ends."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_backup.errors import BackupError, StoppedError
from trading_backup.programs import Command, Programs
from trading_backup.stopping import Stop


def _sh(script: str, **environment: str) -> Command:
    return Command(("sh", "-c", script), environment)


def _ignore(_: int) -> None:
    """Nobody watches."""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(Stop(), tmp_path)


def test_a_program_is_run_with_its_input_and_its_last_words(programs: Programs) -> None:
    finished = programs.run(_sh("cat; echo why >&2; exit 3"), b"given")
    assert (finished.name, finished.code) == ("sh", 3)
    assert (finished.output, finished.errors) == ("given", "why")


def test_of_many_words_the_last_stay(programs: Programs) -> None:
    finished = programs.run(_sh("seq 1 100000 >&2; echo END >&2"))
    assert finished.errors.endswith("END")
    assert len(finished.errors) < 5000


def test_a_child_has_only_the_environment_that_it_is_given(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_ANOTHER", "x")
    names = programs.run(_sh("env", PGPASSWORD="p")).output
    assert "PGPASSWORD=p" in names
    assert "SECRET_OF_ANOTHER" not in names


def test_a_pipe_counts_and_digests_what_goes_through(programs: Programs, tmp_path: Path) -> None:
    content = os.urandom(3 * (1 << 20) + 17)
    (tmp_path / "in").write_bytes(content)
    told: list[int] = []
    moved = programs.pipe(
        _sh(f"cat {tmp_path}/in"), _sh(f"cat > {tmp_path}/out; echo stored"), told.append
    )
    assert (tmp_path / "out").read_bytes() == content
    assert moved.bytes == told[-1] == len(content)
    assert moved.sha256 == hashlib.sha256(content).hexdigest()
    assert (moved.output, moved.broken_by) == ("stored\n", None)


def test_a_source_that_dies_never_ends_the_sinks_input(programs: Programs, tmp_path: Path) -> None:
    mark = tmp_path / "complete"
    moved = programs.pipe(
        _sh("echo half; echo broken >&2; exit 4"),
        _sh(f"cat > /dev/null; touch {mark}"),
        _ignore,
    )
    assert moved.broken_by is not None
    assert (moved.broken_by.code, moved.broken_by.errors) == (4, "broken")
    assert not mark.exists()


def test_a_sink_that_dies_is_the_one_to_blame_and_ends_the_source(programs: Programs) -> None:
    began = time.monotonic()
    moved = programs.pipe(
        _sh("yes"), Command(("sh", "-c", "head -c 10 > /dev/null; echo full >&2; exit 5")), _ignore
    )
    assert moved.broken_by is not None
    assert (moved.broken_by.code, moved.broken_by.errors) == (5, "full")
    assert time.monotonic() - began < 10


def test_reading_tells_a_program_that_ends_badly(programs: Programs) -> None:
    assert programs.read(_sh("printf abc"), _ignore).broken_by is None
    moved = programs.read(_sh("printf abc; exit 9"), _ignore)
    assert moved.broken_by is not None
    assert (moved.bytes, moved.broken_by.code) == (3, 9)


def test_a_program_that_takes_too_long_is_ended_with_what_it_said(programs: Programs) -> None:
    began = time.monotonic()
    finished = programs.run(_sh("echo retrying >&2; sleep 60"), seconds=0.5)
    assert finished.code != 0
    assert finished.errors == "retrying"
    assert time.monotonic() - began < 10


def test_a_missing_program_is_told(programs: Programs) -> None:
    with pytest.raises(BackupError, match="the program no-such-program is missing"):
        programs.run(Command(("no-such-program",)))


def test_lines_are_told_when_they_are_printed(programs: Programs) -> None:
    lines: list[str] = []
    finished = programs.run_lines(_sh("seq 1 20"), lines.append)
    assert [line.strip() for line in lines] == [str(n) for n in range(1, 21)]
    assert finished.output.splitlines() == [str(n) for n in range(11, 21)]


def _living(group: int) -> list[str]:
    """The processes of a group that have not ended; one that nobody reaped has."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            _, _, rest = (place / "stat").read_text().rpartition(") ")
        except OSError:
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state != "Z":
            found.append(place.name)
    return found


@pytest.fixture
def told_to_stop(tmp_path: Path) -> Iterator[Stop]:
    """SIGTERM comes to this process as soon as the file `now` is there."""
    stop = Stop()
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop.install()

    def send() -> None:
        deadline = time.monotonic() + 20
        while not (tmp_path / "now").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    yield stop
    thread.join()
    for number, handler in former.items():
        signal.signal(number, handler)


def test_sigterm_ends_both_ends_of_a_pipe_and_what_they_started(
    told_to_stop: Stop, tmp_path: Path
) -> None:
    source = _sh(f"echo $$ > {tmp_path}/source; touch {tmp_path}/now; sleep 60 & yes")
    sink = _sh(f"echo $$ > {tmp_path}/sink; cat > /dev/null; touch {tmp_path}/complete")
    began = time.monotonic()
    with pytest.raises(StoppedError):
        Programs(told_to_stop, tmp_path).pipe(source, sink, _ignore)
    assert time.monotonic() - began < 10
    assert not (tmp_path / "complete").exists()
    for name in ("source", "sink"):
        group = int((tmp_path / name).read_text())
        deadline = time.monotonic() + 5  # a killed process is on its way out for a moment
        while _living(group) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert _living(group) == []


def test_after_sigterm_nothing_new_begins(told_to_stop: Stop, tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    deadline = time.monotonic() + 10
    while not told_to_stop.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(StoppedError):
        Programs(told_to_stop, tmp_path).run(_sh(f"touch {tmp_path}/begun"))
    assert not (tmp_path / "begun").exists()


def test_no_temporary_file_stays(programs: Programs, tmp_path: Path) -> None:
    programs.run(_sh("echo x >&2"))
    programs.pipe(_sh("echo x"), _sh("cat"), _ignore)
    assert list(tmp_path.iterdir()) == []
