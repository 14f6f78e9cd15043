"""Facts of the source beside those of what was restored."""

from trading_backup.facts import compare_facts
from trading_backup.manifest import Facts

SOURCE: Facts = {"public.orders": {"rows": 12, "newest": "2026-11-30"}, "public.fills": {"rows": 0}}


def test_equal_data_have_equal_facts() -> None:
    compared = compare_facts("db", SOURCE, SOURCE)
    assert [fact.fact for fact in compared] == [
        "rows of public.orders",
        "newest of public.orders",
        "rows of public.fills",
    ]
    assert all(fact.equal for fact in compared)


def test_a_lost_row_a_lost_table_and_a_changed_value_are_differences() -> None:
    found: Facts = {"public.orders": {"rows": 11, "newest": "2026-11-29"}}
    compared = compare_facts("db", SOURCE, found)
    assert [(fact.expected, fact.found) for fact in compared if not fact.equal] == [
        ("12", "11"),
        ("2026-11-30", "2026-11-29"),
        ("0", "nothing"),
    ]


def test_what_only_the_restored_data_have_is_no_difference() -> None:
    found = SOURCE | {"public.extra": {"rows": 1}}
    assert all(fact.equal for fact in compare_facts("db", SOURCE, found))


def test_a_fact_is_described_in_bounded_words() -> None:
    [fact] = compare_facts("db", {"t" * 200: {"hash": "1" * 200}}, {})
    described = fact.describe()
    assert described["target"] == "db"
    assert described["equal"] is False
    assert len(str(described["fact"])) == len(str(described["expected"])) == 128
