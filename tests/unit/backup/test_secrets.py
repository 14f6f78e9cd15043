"""Secrets: read from files, and never said."""

import json
import logging
from pathlib import Path

import pytest

from trading_backup.errors import BackupError
from trading_backup.log_format import JsonFormatter
from trading_backup.secret_files import SecretFiles

PASSWORD = 'it\'s a "pass\\word" $HOME'


def test_a_password_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\r\n")
    assert SecretFiles().read(tmp_path / "password", "redis") == PASSWORD


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_secret_is_told_by_what_it_opens(
    content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content)
    with pytest.raises(BackupError, match="the password of redis") as caught:
        SecretFiles().read(tmp_path / "password", "redis")
    assert (caught.value.reason, caught.value.exit_code) == ("SecretMissing", 42)


def test_no_log_line_has_a_secret_in_any_spelling(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    secrets = SecretFiles()
    secrets.read(tmp_path / "password", "redis")
    record = logging.makeLogRecord({"msg": "said %s", "args": (PASSWORD,), "detail": [PASSWORD]})
    line = JsonFormatter(secrets).format(record)
    read = json.loads(line)
    assert (read["event"], read["detail"]) == ("said [secret]", ["[secret]"])
    assert "pass" not in line


def test_short_words_are_not_blotted_out(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("dump")
    secrets = SecretFiles()
    secrets.read(tmp_path / "password", "redis")
    assert secrets.blot("the dump failed") == "the dump failed"
