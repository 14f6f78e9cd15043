"""What pg_restore says to a server that does not know one of its settings, and nothing else."""

import pytest

from trading_backup.engines.postgresql import is_only_the_unknown_setting
from trading_backup.programs import Finished

SETTING = (
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
    '"transaction_timeout"\nCommand was: SET transaction_timeout = 0;\n'
)
ANOTHER = 'pg_restore: error: COPY failed for table "orders": out of disk\n'


def _ended(errors: str, count: int) -> Finished:
    ignored = f"pg_restore: warning: errors ignored on restore: {count}\n"
    return Finished("pg_restore", 1, "", errors + ignored)


def test_the_setting_alone_is_forgiven() -> None:
    assert is_only_the_unknown_setting(_ended(SETTING, 1))


@pytest.mark.parametrize("count", [2, 10, 19, 100])
def test_no_other_failure_is_forgiven_with_it(count: int) -> None:
    assert not is_only_the_unknown_setting(_ended(SETTING + ANOTHER * (count - 1), count))


def test_a_failure_without_the_setting_is_none_to_forgive() -> None:
    assert not is_only_the_unknown_setting(_ended(ANOTHER, 1))
