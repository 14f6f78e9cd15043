"""What keeps a set from being published at the end of its run."""

import pytest

from trading_backup.errors import BackupError
from trading_backup.set_store import check_publishable
from trading_backup.sets import BackupSet, format_set_id
from unit.backup.samples import days_ago, manifest_of, record_of, set_of

INCREMENT = manifest_of(record_of("db", base=format_set_id(days_ago(1))))


def test_a_set_with_a_name_of_its_own_and_all_its_bases_is_published() -> None:
    check_publishable(INCREMENT, [set_of(1), set_of(0, manifest=False)])


def test_a_name_that_another_run_has_published_is_not_taken() -> None:
    with pytest.raises(BackupError, match="another run has published") as caught:
        check_publishable(INCREMENT, [set_of(1), set_of(0)])
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("sets", [[], [set_of(1, manifest=False)], [set_of(1, base=2)]])
def test_an_increment_whose_base_went_meanwhile_is_no_backup(sets: list[BackupSet]) -> None:
    with pytest.raises(BackupError, match="stands on is gone: 20261129T030000Z"):
        check_publishable(INCREMENT, sets)
