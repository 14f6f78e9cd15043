"""Amounts: parsed, compared, in the API server's own form."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_operator.manifests.quantity import canonical_quantity, parse_quantity

SUFFIXES = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("2000", "2k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("0", "0"),
        (4, "4"),
        ("1536", "1536"),
    ],
)
def test_an_amount_has_one_form(text: str, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


@given(st.integers(0, 10**9), st.sampled_from(SUFFIXES))
def test_the_canonical_form_is_the_same_amount_and_its_own_form(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    form = canonical_quantity(text)
    assert parse_quantity(form) == parse_quantity(text)
    assert canonical_quantity(form) == form


def test_binary_and_decimal_suffixes_differ() -> None:
    assert parse_quantity("1Ki") == Decimal(1024)
    assert parse_quantity("1k") == Decimal(1000)


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "-1", "1gb", "1e3", "9" * 5000, "9" * 19 + "Pi"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)
