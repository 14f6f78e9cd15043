"""The answer: small enough for a termination message, and honest about what it leaves out."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trading_backup.answer import LIMIT, Outcome, build_answer, fail, fit, write_answer
from trading_backup.errors import BackupError, StoppedError
from trading_backup.reasons import Reason
from unit.backup.samples import NOW, days_ago


def test_a_success_has_its_times_and_its_own_fields() -> None:
    outcome = Outcome(Reason.SUCCEEDED, "done", {"set": "20261130T030000Z", "bytes": None})
    assert build_answer(outcome, days_ago(1), NOW) == {
        "outcome": "Succeeded",
        "reason": "Succeeded",
        "message": "done",
        "startedAt": "2026-11-29T03:00:00Z",
        "endedAt": "2026-11-30T03:00:00Z",
        "set": "20261130T030000Z",
    }


def test_an_error_is_told_with_its_mend_and_its_exit_code() -> None:
    error = BackupError(Reason.WRONG_PASSWORD, "it does not open", "give another", permanent=True)
    answer = build_answer(fail(error, {"warnings": ["w"]}), NOW, NOW)
    assert (answer["outcome"], answer["reason"]) == ("Failed", "WrongPassword")
    assert answer["message"] == "it does not open: give another"
    assert answer["warnings"] == ["w"]
    assert error.exit_code == 42
    assert StoppedError().exit_code == 1


def test_what_is_left_out_is_counted() -> None:
    answer = {"message": "m", "comparison": [{"fact": "x" * 90}] * 100, "warnings": ["short"]}
    text = fit(answer)
    assert len(text) <= LIMIT
    read = json.loads(text)
    assert len(read["comparison"]) + read["cut"]["comparison"] == 100
    assert len(read["comparison"]) > 20
    assert read["warnings"] == ["short"]


def test_what_fits_is_left_alone() -> None:
    answer = {"message": "ü", "warnings": ["a", "b"]}
    assert json.loads(fit(answer)) == answer


texts = st.text(max_size=400)


@given(st.text(max_size=3000), st.lists(texts, max_size=40), st.lists(texts, max_size=40))
def test_every_answer_fits(message: str, warnings: list[str], untrue: list[str]) -> None:
    outcome = Outcome(Reason.DATA_DIFFER, message, {"warnings": warnings, "untrue": untrue})
    text = fit(build_answer(outcome, NOW, NOW))
    assert len(text) <= LIMIT
    assert json.loads(text)["reason"] == "DataDiffer"


def test_without_a_place_for_it_the_run_does_not_fail(tmp_path: Path) -> None:
    write_answer(b'{"outcome":"Succeeded"}', tmp_path / "gone" / "log")
    write_answer(b'{"outcome":"Succeeded"}', tmp_path / "log")
    assert json.loads((tmp_path / "log").read_text()) == {"outcome": "Succeeded"}
