"""Settings come from variables, secrets from the files that variables name."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from trading_services.contract.errors import ConfigError
from trading_services.contract.settings import ServiceSettings, read_settings
from trading_services.data_acquisition.config import DataAcquisitionSettings


@pytest.mark.acceptance("A37", "A77")
def test_variables_become_fields() -> None:
    settings = read_settings(
        DataAcquisitionSettings,
        {"TIMESCALEDB_HOST": "db", "TIMESCALEDB_PORT": "6543", "REPLAY_SPEED": "12.5"},
    )

    assert settings.timescaledb_host == "db"
    assert settings.timescaledb_port == 6543
    assert settings.replay_speed == 12.5


@pytest.mark.acceptance("A79")
def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")

    settings = read_settings(ServiceSettings, {"TIMESCALEDB_PASSWORD_FILE": str(path)})

    assert settings.timescaledb_password == SecretStr("hunter2")
    assert "hunter2" not in repr(settings)


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = read_settings(ServiceSettings, {"TIMESCALEDB_PORT": ""})

    assert settings.timescaledb_port == 5432


def test_a_wrong_value_is_refused_with_the_variable_but_not_the_value() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(ServiceSettings, {"TIMESCALEDB_PORT": "s3cret"})

    assert caught.value.field == "TIMESCALEDB_PORT"
    assert "s3cret" not in str(caught.value)


def test_a_missing_secret_file_is_refused_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TIMESCALEDB_PASSWORD_FILE: cannot read .*/absent"):
        read_settings(ServiceSettings, {"TIMESCALEDB_PASSWORD_FILE": str(tmp_path / "absent")})


def test_the_mode_is_paper_or_live() -> None:
    with pytest.raises(ConfigError, match="TRADING_MODE"):
        read_settings(ServiceSettings, {"TRADING_MODE": "Casino"})
