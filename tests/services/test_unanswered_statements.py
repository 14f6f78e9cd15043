"""A server that gives no answer: the client gives up by itself and connects anew."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
import psycopg2.extensions
import pytest

from trading_services.contract.settings import ServiceSettings
from trading_services.database.connection import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Database,
    bound_answers,
)


@pytest.fixture
def _impatient() -> Iterator[None]:
    bound_answers(connect_seconds=0.5, answer_seconds=0.5)
    yield
    psycopg2.extensions.set_wait_callback(None)


@pytest.mark.usefixtures("_impatient")
def test_a_statement_without_an_answer_fails_and_the_next_one_connects_anew(
    empty_database: Database,
) -> None:
    started = time.monotonic()
    with pytest.raises(psycopg2.OperationalError, match=r"no answer for 0\.5 s"):
        empty_database.query("SELECT pg_sleep(20)")
    assert time.monotonic() - started < 5
    assert empty_database.query("SELECT 1") == [(1,)]


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_accepts_and_then_says_nothing_is_given_up(empty_database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        address = replace(empty_database.address, host="127.0.0.1", port=frozen.getsockname()[1])
        with pytest.raises(psycopg2.OperationalError, match="no answer"):
            Database(address).query("SELECT 1")


def test_the_bounds_leave_the_server_its_say_and_the_loop_its_deadline(
    empty_database: Database,
) -> None:
    assert empty_database.address.statement_timeout < ANSWER_SECONDS
    assert ServiceSettings().loop_deadline_seconds > ANSWER_SECONDS + CONNECT_SECONDS
