"""`trading-services report`: prints what the system did, from its database."""

import os
import sys
from collections.abc import Mapping

from trading_services.contract.errors import (
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    ConfigError,
)
from trading_services.contract.settings import ServiceSettings, read_settings
from trading_services.database.connection import UNAVAILABLE, Database, build_address
from trading_services.reporting.facts import read_facts
from trading_services.reporting.table import build_report


def main(environment: Mapping[str, str] | None = None) -> int:
    """Print the report and return the exit code; 75 says that the database did not answer."""
    try:
        settings = read_settings(ServiceSettings, environment or os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    database = Database(build_address(settings, "report"))
    try:
        sys.stdout.write(build_report(read_facts(database)))
    except UNAVAILABLE as error:
        sys.stderr.write(f"the database does not answer: {str(error).strip()}\n")
        return EXIT_UNAVAILABLE
    finally:
        database.close()
    return EXIT_OK
