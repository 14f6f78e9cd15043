"""Tables that change before a dump has locked them: which are let pass, and what is told."""

from trading_backup.postgresql.steadiness import find_restless, warn_of_tries

HOT, ORDERS, BARS = {7: "public.hot"}, {8: "public.orders"}, {9: "public.bars"}


def test_only_what_changed_in_every_try_is_let_pass() -> None:
    assert find_restless([HOT | ORDERS, HOT | BARS, HOT]) == HOT
    assert find_restless([HOT, ORDERS, HOT]) == {}
    assert find_restless([]) == {}


def test_a_dump_at_the_first_try_has_nothing_to_tell() -> None:
    assert warn_of_tries([], {}) == []


def test_a_later_moment_is_told_with_the_tables_that_made_it_so() -> None:
    [told] = warn_of_tries([ORDERS, BARS | ORDERS], {})
    assert told.startswith("of a later moment than the other targets")
    assert told.endswith("rewrote public.bars, public.orders")


def test_rows_that_may_be_missing_are_told() -> None:
    told = warn_of_tries([HOT | ORDERS, HOT, HOT], HOT)
    assert len(told) == 2
    assert told[1].endswith("public.hot: the set may lack their rows")
