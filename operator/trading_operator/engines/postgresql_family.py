"""What PostgreSQL and the databases built on it have in common."""

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
    version_of,
)
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.pod import Container, SecretFile
from trading_operator.manifests.probe import Timing, build_exec_probe, parse_timing
from trading_operator.manifests.quantity import build_resources

_PRELOAD = "shared_preload_libraries"
_DATA_PATH = "/var/lib/postgresql/data"
_DATA_NAME = "pgdata"
_DATA_FOLDER = f"{_DATA_PATH}/{_DATA_NAME}"
_MAKE_DATABASE = ("docker-entrypoint.sh", "postgres")
# It must not write into the archive of the server whose data it has.
_QUIET = ("archive_mode=off",)
_SUMMARIES = "summarize_wal"
_INCREMENTAL_SINCE = 17
_RESERVED = {
    "listen_addresses": "remove it; the NetworkPolicy decides who may connect",
    "port": "set the datastore's port instead",
    "data_directory": "remove it; the data lie on the volume",
    "config_file": "remove it and use parameters",
    "hba_file": "remove it",
    "ident_file": "remove it",
    "unix_socket_directories": "remove it",
}
# Half an hour: a large database may have that much log to replay after a crash.
_STARTUP = Timing(timedelta(seconds=2), timedelta(seconds=5), 900)
_LIVENESS = Timing(timedelta(seconds=30), timedelta(seconds=10), 6)
_CONTRACT = ImageContract(
    user=70,
    group=70,
    data_path=_DATA_PATH,
    run_path="/var/run/postgresql",
    init_path="/docker-entrypoint-initdb.d",
    stop_seconds=120,
    password_stays=True,
)


# What the server takes where nobody says anything.
_DEFAULTS = {"shared_buffers": "128MB", "work_mem": "4MB", "max_connections": "100"}
_SIZE = re.compile(r"^([0-9]{1,15})\s*(B|kB|MB|GB|TB)?$")
_UNITS = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
# What a number alone means.
_BARE = {"shared_buffers": 8192, "work_mem": 1024}


@dataclass(frozen=True)
class PostgreSQLFamily:
    """A database that is PostgreSQL with libraries loaded into it."""

    name: EngineName
    images: Mapping[str, str]
    preload: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()  # settings with which a restored server does nothing by itself
    keeps_market_data: bool = False
    port: int = 5432
    contract: ImageContract = _CONTRACT

    def check(self, store: Datastore, path: str) -> None:
        """Raise InvalidSpecError when the engine cannot do what `store` asks for."""
        refuse_parameters(store, _RESERVED, path)
        loaded = {*self._libraries(store), "plpgsql"}
        for name in store.parameters:
            prefix, dot, _ = name.partition(".")
            if dot and prefix not in loaded:
                raise InvalidSpecError(
                    f"{path}.parameters.{name}",
                    f"{self.name} loads no library {prefix}",
                    f"add {prefix} to parameters.{_PRELOAD} or remove the parameter",
                )

    def find_risks(self, store: Datastore, path: str) -> Iterator[str]:
        """Yield what of the settings may not fit into the memory that `store` has."""
        limit = memory_limit(store)
        if limit is None:
            return
        size = {name: _memory(store, name) for name in ("shared_buffers", "work_mem")}
        sorts = size["work_mem"] * _connections(store)
        if size["shared_buffers"] + sorts > limit:
            yield (
                f"{path}.parameters: shared_buffers and max_connections times work_mem may take "
                f"{(size['shared_buffers'] + sorts) / 2**20:.0f} MiB, and the limit is "
                f"{limit / 2**20:.0f} MiB: the server would be killed; lower them, raise "
                "resources.limits.memory, or put a pooler before it"
            )

    def build_container(self, store: Datastore, image: str, password: SecretFile) -> Container:
        """Build the container: settings as arguments, the password as a file."""
        return Container(
            image=image,
            args=self._arguments(store),
            env=self._environment(store, password),
            ports={"postgresql": self.port},
            resources=build_resources(store.resources),
            probes=self._probes(store),
        )

    def check_backup(self, store: Datastore, method: Method, incremental: bool, path: str) -> None:
        """Raise InvalidSpecError when `store` cannot be backed up in this way."""
        if method is not Method.PHYSICAL or not incremental:
            return
        major = int(version_of(self, store).partition(".")[0])
        if major < _INCREMENTAL_SINCE:
            raise InvalidSpecError(
                f"{path}.method",
                f"{store.name} is of version {major}, and copies what changed from "
                f"{_INCREMENTAL_SINCE} on",
                "use Logical, or remove schedule.incremental",
            )
        if store.parameters.get(_SUMMARIES) not in ("on", "true", "yes", "1"):
            raise InvalidSpecError(
                f"{path}.method",
                f"{store.name} does not note what changes",
                f"set its parameter {_SUMMARIES}: on in the trading system, or use Logical",
            )

    def describe_target(self, store: Datastore, method: Method) -> Mapping[str, str]:
        """Return what a backup program must know beside the address, by the job file's names."""
        return {"method": method.value, "user": store.username, "database": store.database}

    def throwaway_path(self, method: Method) -> str | None:
        """Return what of its folder a drill fills before the start; None when it fills nothing."""
        return _DATA_NAME if method is Method.PHYSICAL else None

    def build_throwaway(
        self, store: Datastore, image: str, password: SecretFile, server: Throwaway
    ) -> Container:
        """Build the container of a server for a restore drill, without probes."""
        container = self.build_container(store, image, password)
        changed = (f"port={server.port}", "listen_addresses=127.0.0.1", *_QUIET, *self.quiet)
        settings = (*container.args, *(word for each in changed for word in ("-c", each)))
        # A restored folder is a database already: nobody has to make one.
        restored = server.method is Method.PHYSICAL
        program = ("postgres", "-D", _DATA_FOLDER) if restored else _MAKE_DATABASE
        return replace(
            container,
            command=("sh", "-c", f'{WAIT_FOR_START}exec "$@"', "drill"),
            args=(*program, *settings),
            env=(*container.env, {"name": "START_FILE", "value": server.start_file}),
            ports={},
            probes={},
        )

    def connection(self, store: Datastore, endpoint: Endpoint) -> Mapping[str, str]:
        """Return what a dependant needs, by the suffix of its variable; never a password."""
        return {
            "URL": f"postgresql://{store.username}@{endpoint.host}:{endpoint.port}"
            f"/{store.database}",
            "USER": store.username,
            "DATABASE": store.database,
        }

    def uri(self, store: Datastore, endpoint: Endpoint) -> str:
        """Return the address with `{password}` where the password belongs."""
        return (
            f"postgresql://{store.username}:{{password}}@{endpoint.host}:{endpoint.port}"
            f"/{store.database}"
        )

    def _libraries(self, store: Datastore) -> tuple[str, ...]:
        own = (name.strip() for name in store.parameters.get(_PRELOAD, "").split(","))
        return tuple(dict.fromkeys((*self.preload, *filter(None, own))))

    def _arguments(self, store: Datastore) -> tuple[str, ...]:
        settings = {"listen_addresses": "*", **store.parameters}
        if libraries := self._libraries(store):
            settings[_PRELOAD] = ",".join(libraries)
        pairs = (f"{name}={value}" for name, value in sorted(settings.items()))
        return tuple(argument for pair in pairs for argument in ("-c", pair))

    def _environment(self, store: Datastore, password: SecretFile) -> tuple[Manifest, ...]:
        values = {
            "POSTGRES_USER": store.username,
            "POSTGRES_DB": store.database,
            "POSTGRES_PASSWORD_FILE": password.mounted_at,
            # A folder of its own: the root of a volume may hold lost+found.
            "PGDATA": _DATA_FOLDER,
            # The settings are those of the spec, not of a tuner that guesses.
            "NO_TS_TUNE": "true",
        }
        return tuple({"name": name, "value": value} for name, value in values.items())

    def _probes(self, store: Datastore) -> Manifest:
        # Over TCP: while the first start runs, the server answers on its socket alone.
        ready = ("pg_isready", "-h", "127.0.0.1", "-U", store.username, "-d", store.database)
        # 1 means that it answers but refuses for now, as in recovery: killing it would not help.
        alive = f"{' '.join(ready)} -t 8; [ $? -le 1 ]"
        timing = parse_timing(
            store.health.period, store.health.timeout, store.health.failure_threshold
        )
        return {
            "readinessProbe": build_exec_probe(ready, timing),
            "livenessProbe": build_exec_probe(("sh", "-c", alive), _LIVENESS),
            "startupProbe": build_exec_probe(ready, _STARTUP),
        }


def _memory(store: Datastore, name: str) -> Decimal:
    """Return a memory setting in bytes; 0 when it is written in a form of its own."""
    match = _SIZE.match(store.parameters.get(name, _DEFAULTS[name]).strip())
    if match is None:
        return Decimal(0)
    return Decimal(match[1]) * (_UNITS[match[2]] if match[2] else _BARE[name])


def _connections(store: Datastore) -> int:
    text = store.parameters.get("max_connections", _DEFAULTS["max_connections"]).strip()
    return int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
