"""The numbers of the fault points, and the order in which a sample takes them."""

import pytest

from faults.points import Kind, Scenario, Stream, all_points, in_turn, point_of

COUNTS = {scenario: {Stream.WRITE: 20, Stream.EVENT: 6, Stream.LEASE: 2} for scenario in Scenario}


def test_every_point_is_repeated_by_its_number() -> None:
    points = all_points(COUNTS)
    assert [point_of(point.number) for point in points] == points
    assert len({point.number for point in points}) == len(points)


def test_a_number_stays_what_it_is_when_more_writes_are_counted() -> None:
    more = {scenario: {**streams, Stream.WRITE: 30} for scenario, streams in COUNTS.items()}
    assert set(all_points(COUNTS)) < set(all_points(more))


@pytest.mark.parametrize("number", [-1, 19, 10**6])
def test_a_number_of_no_point_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="no fault point"):
        point_of(number)


def test_the_order_is_that_of_the_seed() -> None:
    points = all_points(COUNTS)
    assert in_turn(points, 1) == in_turn(points, 1)
    assert in_turn(points, 1) != in_turn(points, 2)
    assert set(in_turn(points, 1)) == set(points)


def test_each_beginning_has_all_scenarios_and_kinds() -> None:
    classes = len(Kind) * len(Scenario)
    first = in_turn(all_points(COUNTS), 3)[:classes]
    assert {(each.scenario, each.kind) for each in first} == {
        (scenario, kind) for scenario in Scenario for kind in Kind
    }
