"""Roles: made where they are missing, never changed where they are."""

from trading_backup.postgresql.roles import find_roles, keep_missing

SCRIPT = r'''--
-- PostgreSQL database cluster dump
--
\restrict abc
SET default_transaction_read_only = off;

CREATE ROLE "Odd ""one""";
ALTER ROLE "Odd ""one""" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x';
CREATE ROLE reader;
ALTER ROLE reader WITH NOSUPERUSER NOLOGIN;
CREATE ROLE trading;
ALTER ROLE trading WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:old';
ALTER ROLE trading SET work_mem TO '64MB';
GRANT reader TO trading WITH INHERIT TRUE GRANTED BY trading;
'''


def test_roles_are_found_by_their_own_names() -> None:
    assert find_roles(SCRIPT) == ['Odd "one"', "reader", "trading"]


def test_a_role_that_is_there_keeps_its_password_and_settings() -> None:
    kept = keep_missing(SCRIPT, {"trading", "reader"})
    assert find_roles(kept) == ['Odd "one"']
    assert ":old" not in kept
    assert "GRANT reader TO trading" in kept


def test_what_is_about_no_role_stays() -> None:
    assert keep_missing(SCRIPT, set()) == SCRIPT
    assert keep_missing(SCRIPT, {"read"}) == SCRIPT
