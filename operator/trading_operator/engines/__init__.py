"""The database engines, one file each; a new one needs its file, its EngineName and its line."""

from collections.abc import Mapping

from trading_operator.api.datastore import EngineName
from trading_operator.engines.base import Engine
from trading_operator.engines.postgresql import POSTGRESQL
from trading_operator.engines.redis import REDIS
from trading_operator.engines.timescaledb import TIMESCALEDB

ENGINES: Mapping[EngineName, Engine] = {
    engine.name: engine for engine in (POSTGRESQL, TIMESCALEDB, REDIS)
}
