"""What restic says, understood: its exit codes, its words, its times."""

import json
from datetime import UTC, datetime

import pytest

from trading_backup.programs import Finished
from trading_backup.restic import explain_failure, find_unread, last_words, parse_snapshots


def _finished(code: int, errors: str) -> Finished:
    return Finished("restic", code, "", errors)


@pytest.mark.parametrize(
    ("code", "words", "reason", "exit_code"),
    [
        (3, "open /targets/x: permission denied", "UnreadableFiles", 42),
        (10, "repository does not exist", "RepositoryMissing", 42),
        (11, "repository is already locked by PID 7", "RepositoryLocked", 1),
        (12, "wrong password or no key found", "WrongPassword", 42),
        (1, "unable to save snapshot: write: no space left on device", "RepositoryFull", 1),
        (1, "mkdir /repository/data: permission denied", "RepositoryRefused", 42),
        (1, "client.PutObject: Access Denied.", "RepositoryRefused", 42),
        (1, "The request signature we calculated does not match", "RepositoryRefused", 42),
        (1, "Fatal: repository already contains keys", "RepositoryUnfinished", 42),
        (1, "dial tcp: connection refused", "RepositoryFailed", 1),
        (130, "signal terminated received, cleaning up", "RepositoryFailed", 1),
    ],
)
def test_each_failure_has_a_reason_and_says_whether_to_try_again(
    code: int, words: str, reason: str, exit_code: int
) -> None:
    error = explain_failure(_finished(code, words))
    assert error.reason == reason
    assert error.exit_code == exit_code
    assert f"restic ended with {code}: {words}: " in str(error)


def test_the_frame_of_json_is_taken_off() -> None:
    errors = (
        '{"message_type":"error","error":{"message":"permission denied"},"item":"/x"}\n'
        '{"message_type":"exit_error","code":3,"message":"Warning: at least one file"}'
    )
    assert last_words(_finished(3, errors)) == "permission denied / Warning: at least one file"


@pytest.mark.parametrize("errors", ["", "\n", '{"message_type":"exit_error"'])
def test_silence_and_torn_lines_are_no_error_of_ours(errors: str) -> None:
    assert last_words(_finished(1, errors))


def test_snapshots_are_read_with_their_times_in_nanoseconds() -> None:
    listing = [
        {"id": "a" * 64, "time": "2026-11-30T04:00:00.123456789+01:00", "tags": ["set=x"]},
        {"id": "b" * 64, "time": "2026-11-30T03:00:00Z"},
    ]
    first, second = parse_snapshots(json.dumps(listing))
    assert first.time == datetime(2026, 11, 30, 3, 0, 0, 123456, tzinfo=UTC)
    assert first.tags == {"set=x"}
    assert (second.id, second.tags) == ("b" * 64, frozenset())


def test_an_empty_repository_has_no_snapshots() -> None:
    assert parse_snapshots("") == parse_snapshots("null\n") == []


@pytest.mark.parametrize(
    "errors",
    [
        'Ignoring "5f3a": load(<snapshot/5f3a>): invalid data returned',
        "warning: a cache\n  could not load snapshots: readdir: input/output error",
    ],
)
def test_a_list_that_lacks_a_snapshot_is_told_though_restic_ended_well(errors: str) -> None:
    assert find_unread(_finished(0, errors)) == errors.splitlines()[-1].strip()


def test_a_list_with_all_snapshots_lacks_none() -> None:
    assert find_unread(_finished(0, "")) == ""
    assert find_unread(_finished(0, "created new cache in /scratch/restic-cache")) == ""
