"""`trading-services report`: prints what the system did, from its database."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict

from trading_services.contract.errors import (
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    ConfigError,
)
from trading_services.contract.settings import ServiceSettings, read_settings
from trading_services.database.connection import UNAVAILABLE, Database, build_address
from trading_services.reporting.facts import Facts, read_facts
from trading_services.reporting.table import build_report


def main(environment: Mapping[str, str] | None = None, *, as_json: bool = False) -> int:
    """Print the report and return the exit code; 75 says that the database did not answer."""
    try:
        settings = read_settings(ServiceSettings, environment or os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    database = Database(build_address(settings, "report"))
    try:
        facts = read_facts(database)
        sys.stdout.write(build_json(facts) if as_json else build_report(facts))
    except UNAVAILABLE as error:
        sys.stderr.write(f"the database does not answer: {str(error).strip()}\n")
        return EXIT_UNAVAILABLE
    finally:
        database.close()
    return EXIT_OK


def build_json(facts: Facts) -> str:
    """Return the facts as one JSON object; amounts and times are strings."""
    return json.dumps(asdict(facts), default=str) + "\n"
