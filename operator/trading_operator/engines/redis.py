"""Redis: append-only, with a password, and with memory to spare for its own copies."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from trading_operator.api.backup_parts import Method
from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.api.errors import InvalidSpecError
from trading_operator.engines.base import (
    WAIT_FOR_START,
    Endpoint,
    ImageContract,
    Throwaway,
    memory_limit,
    refuse_parameters,
)
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.pod import Container, SecretFile
from trading_operator.manifests.probe import Timing, build_exec_probe, parse_timing
from trading_operator.manifests.quantity import build_resources

_MEMORY_SHARE_PERCENT = 75  # the rest is for the copy that rewriting the log makes
_RESERVED = {
    "requirepass": "use credentials to bring a password of your own",
    "port": "set the datastore's port instead",
    "bind": "remove it; the NetworkPolicy decides who may connect",
    "protected-mode": "remove it",
    "dir": "remove it; the data lie on the volume",
    "daemonize": "remove it",
    "include": "remove it and use parameters",
    "aclfile": "remove it and use credentials",
    "user": "remove it and use credentials",
}
# The password is read from its file into a file in memory: it is never an argument or a variable
# of the server. The settings come as arguments, one line of the configuration each.
_START = r"""umask 077
{ printf '%s\n' "$@"; printf 'requirepass "%s"\n' "$(sed 's/[\\"]/\\&/g' "$PASSWORD_FILE")"; } \
  > /run/redis/redis.conf
exec redis-server /run/redis/redis.conf"""
_ASK = 'export REDISCLI_AUTH="$(cat "$PASSWORD_FILE")"; redis-cli -p {port} ping 2>/dev/null'
_READY = '[ "$({ask})" = PONG ]'
# Loading a large log takes minutes, and an error reply shows that the server is alive.
_ALIVE = '[ -n "$({ask})" ]'
_STARTUP = Timing(timedelta(seconds=2), timedelta(seconds=5), 900)
_LIVENESS = Timing(timedelta(seconds=30), timedelta(seconds=10), 6)
# As redis.conf writes sizes: k is 1000, kb is 1024.
_SIZE = re.compile(r"^([0-9]{1,18})(b|k|kb|m|mb|g|gb)?$", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_CONTRACT = ImageContract(
    user=999,
    group=1000,
    data_path="/data",
    run_path="/run/redis",
    init_path=None,
    stop_seconds=60,
    password_stays=False,
)


@dataclass(frozen=True)
class Redis:
    """The Redis engine."""

    name: EngineName
    images: Mapping[str, str]
    keeps_market_data: bool = False
    port: int = 6379
    contract: ImageContract = _CONTRACT

    def check(self, store: Datastore, path: str) -> None:
        """Raise InvalidSpecError when the engine cannot do what `store` asks for."""
        refuse_parameters(store, _RESERVED, path)
        if store.init_scripts is not None:
            raise InvalidSpecError(
                f"{path}.initScripts", "Redis has no init scripts", "remove initScripts"
            )
        for name in store.parameters:
            if "." in name or "_" in name:
                raise InvalidSpecError(
                    f"{path}.parameters.{name}",
                    "Redis has no such setting",
                    "use the names of redis.conf, e.g. maxmemory-policy",
                )

    def find_risks(self, store: Datastore, path: str) -> Iterator[str]:
        """Yield what of the settings may not fit into the memory that `store` has."""
        limit, asked = memory_limit(store), store.parameters.get("maxmemory")
        size = None if asked is None else parse_memory(asked)
        if limit is None or size is None or size <= limit * _MEMORY_SHARE_PERCENT / 100:
            return
        yield (
            f"{path}.parameters.maxmemory: {asked} of {limit.normalize():f} bytes leaves no room "
            f"for the copy that rewriting the log makes; use {_MEMORY_SHARE_PERCENT} % at most, or "
            "leave it out"
        )

    def build_container(self, store: Datastore, image: str, password: SecretFile) -> Container:
        """Build the container: settings as arguments, the password as a file."""
        return Container(
            image=image,
            command=("sh", "-c", _START, "redis"),
            args=_lines(self._settings(store)),
            env=({"name": "PASSWORD_FILE", "value": password.mounted_at},),
            ports={"redis": self.port},
            resources=build_resources(store.resources),
            probes=self._probes(store),
        )

    def check_backup(self, store: Datastore, method: Method, incremental: bool, path: str) -> None:
        """Raise InvalidSpecError when `store` cannot be backed up in this way."""
        if method is Method.PHYSICAL:
            raise InvalidSpecError(
                f"{path}.method",
                f"{store.name} is a Redis, which is dumped as a whole",
                "remove method, or use Logical",
            )

    def describe_target(self, store: Datastore, method: Method) -> Mapping[str, str]:
        """Return what a backup program must know beside the address, by the job file's names."""
        return {}

    def throwaway_path(self, method: Method) -> str | None:
        """Return what of its folder a drill fills before the start; None when it fills nothing."""
        return "dump.rdb"

    def build_throwaway(
        self, store: Datastore, image: str, password: SecretFile, server: Throwaway
    ) -> Container:
        """Build the container of a server for a restore drill, without probes."""
        container = self.build_container(store, image, password)
        # It reads the dump beside it once and writes nothing: with a log it would begin empty.
        never_saved = {"appendonly": "no", "save": '""', "bind": "127.0.0.1"}
        settings = self._settings(store) | never_saved | {"port": str(server.port)}
        return replace(
            container,
            command=("sh", "-c", f"{WAIT_FOR_START}\n{_START}", "redis"),
            args=_lines(settings),
            env=(*container.env, {"name": "START_FILE", "value": server.start_file}),
            ports={},
            probes={},
        )

    def connection(self, store: Datastore, endpoint: Endpoint) -> Mapping[str, str]:
        """Return what a dependant needs, by the suffix of its variable; never a password."""
        return {"URL": f"redis://{endpoint.host}:{endpoint.port}/0"}

    def uri(self, store: Datastore, endpoint: Endpoint) -> str:
        """Return the address with `{password}` where the password belongs."""
        return f"redis://:{{password}}@{endpoint.host}:{endpoint.port}/0"

    def _settings(self, store: Datastore) -> dict[str, str]:
        settings = {"appendonly": "yes", "dir": self.contract.data_path, "port": str(self.port)}
        limit = memory_limit(store)
        if limit is not None:
            settings["maxmemory"] = str(int(limit * _MEMORY_SHARE_PERCENT / 100))
        return settings | store.parameters

    def _probes(self, store: Datastore) -> Manifest:
        timing = parse_timing(
            store.health.period, store.health.timeout, store.health.failure_threshold
        )
        ask = _ASK.format(port=self.port)
        ready, alive = ("sh", "-c", _READY.format(ask=ask)), ("sh", "-c", _ALIVE.format(ask=ask))
        return {
            "readinessProbe": build_exec_probe(ready, timing),
            "livenessProbe": build_exec_probe(alive, _LIVENESS),
            "startupProbe": build_exec_probe(ready, _STARTUP),
        }


def _lines(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name} {value}" for name, value in sorted(settings.items()))


def parse_memory(text: str) -> Decimal | None:
    """Return a size of redis.conf in bytes; None when it is none, or 0, which bounds nothing."""
    match = _SIZE.match(text.strip())
    size = Decimal(0) if match is None else Decimal(match[1]) * _UNITS[(match[2] or "").lower()]
    return size or None


REDIS = Redis(
    name=EngineName.REDIS,
    images={"8": "redis:8-alpine", "7": "redis:7-alpine"},
)
