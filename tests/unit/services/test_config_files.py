"""Configuration files: the shipped ones are the defaults, wrong ones are refused by name."""

import json
from pathlib import Path

import pytest

from trading_services.contract.config import read_config
from trading_services.contract.errors import ConfigError
from trading_services.contract.logs import LoggingConfig
from trading_services.data_acquisition.config import DataConfig, read_data_config
from trading_services.database.migrations import read_migrations
from trading_services.feature_engineering.schema import FeatureConfig, read_feature_config
from trading_services.system_controller.market_hours import read_market_hours

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "autonomous" / "config"


@pytest.mark.acceptance("A19", "A76")
def test_the_example_initialises_its_database_with_the_first_migration() -> None:
    first = next(one for one in read_migrations() if one.name == "001_document.sql")

    assert (EXAMPLE.parent / "init.sql").read_text() == first.sql


@pytest.mark.acceptance("A14")
def test_the_example_logging_configuration_is_the_default() -> None:
    assert (EXAMPLE / "logging.yaml").exists()
    assert read_config(EXAMPLE / "logging.yaml", LoggingConfig) == LoggingConfig()


@pytest.mark.acceptance("A15")
def test_the_example_market_hours_are_the_default(tmp_path: Path) -> None:
    assert (EXAMPLE / "market_hours.json").exists()
    assert read_market_hours(EXAMPLE) == read_market_hours(tmp_path)


@pytest.mark.acceptance("A16")
def test_the_example_feature_configuration_is_the_default() -> None:
    assert (EXAMPLE / "feature_config.json").exists()
    assert read_feature_config(EXAMPLE) == FeatureConfig()


def test_an_absent_file_means_defaults(tmp_path: Path) -> None:
    assert read_data_config(tmp_path) == DataConfig()


def test_a_file_that_is_not_json_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "feature_config.json").write_text('{\n "groups": {,}\n}')

    with pytest.raises(ConfigError, match=r"feature_config\.json: line 2: is not JSON"):
        read_feature_config(tmp_path)


def test_a_file_that_is_not_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "logging.yaml").write_text("level: INFO\nfile: {")

    with pytest.raises(ConfigError, match=r"logging\.yaml: line \d: is not YAML"):
        read_config(tmp_path / "logging.yaml", LoggingConfig)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"groups": {"returns": {"periods": [0]}}}, r"groups\.returns\.periods\.0"),
        ({"groups": {"astrology": {}}}, r"groups\.astrology"),
        ({"timeframes": ["2w"]}, r"timeframes\.0"),
        ({"timeframes": []}, "timeframes"),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(
    tmp_path: Path, content: object, field: str
) -> None:
    (tmp_path / "feature_config.json").write_text(json.dumps(content))

    with pytest.raises(ConfigError, match=rf"feature_config\.json: {field}: "):
        read_feature_config(tmp_path)


def test_a_series_in_two_feeds_is_refused(tmp_path: Path) -> None:
    feed = {"symbols": ["AAPL"], "timeframe": "1d"}
    content = {"feeds": [{"name": "one", **feed}, {"name": "two", **feed}]}
    (tmp_path / "data_config.json").write_text(json.dumps(content))

    with pytest.raises(ConfigError, match="one feed only"):
        read_data_config(tmp_path)


def test_an_unknown_time_zone_is_refused(tmp_path: Path) -> None:
    content = json.loads((EXAMPLE / "market_hours.json").read_text())
    content["markets"][1]["timezone"] = "Mars/Olympus"
    (tmp_path / "market_hours.json").write_text(json.dumps(content))

    with pytest.raises(ConfigError, match=r"markets\.1\.timezone: .*Mars/Olympus"):
        read_market_hours(tmp_path)
