"""Which Redis takes the data of which other one."""

import pytest

from trading_backup.engines.redis import is_older


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("6.2.14", "7.0.0", True),
        ("7.0.15", "7.2.4", True),
        ("7.2.4", "7.2.11", False),
        ("7.10.0", "7.2.4", False),
        ("8.0.0", "7.4.2", False),
    ],
)
def test_only_feature_releases_count(version: str, than: str, older: bool) -> None:
    assert is_older(version, than) is older
