"""Redis: append-only, with a password, and with memory to spare for its own copies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.api.errors import InvalidSpecError
from trading_operator.engines.base import Endpoint, ImageContract, refuse_parameters
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.pod import Container, SecretFile
from trading_operator.manifests.probe import Timing, build_exec_probe, parse_timing
from trading_operator.manifests.quantity import build_resources, parse_quantity

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

    def build_container(self, store: Datastore, image: str, password: SecretFile) -> Container:
        """Build the container: settings as arguments, the password as a file."""
        return Container(
            image=image,
            command=("sh", "-c", _START, "redis"),
            args=tuple(f"{name} {value}" for name, value in sorted(self._settings(store).items())),
            env=({"name": "PASSWORD_FILE", "value": password.mounted_at},),
            ports={"redis": self.port},
            resources=build_resources(store.resources),
            probes=self._probes(store),
        )

    def connection(self, store: Datastore, endpoint: Endpoint) -> Mapping[str, str]:
        """Return what a dependant needs, by the suffix of its variable; never a password."""
        return {"URL": f"redis://{endpoint.host}:{endpoint.port}/0"}

    def uri(self, store: Datastore, endpoint: Endpoint) -> str:
        """Return the address with `{password}` where the password belongs."""
        return f"redis://:{{password}}@{endpoint.host}:{endpoint.port}/0"

    def _settings(self, store: Datastore) -> dict[str, str]:
        settings = {"appendonly": "yes", "dir": self.contract.data_path, "port": str(self.port)}
        limits = store.resources.limits
        if limits is not None and limits.memory is not None:
            share = parse_quantity(limits.memory) * _MEMORY_SHARE_PERCENT / 100
            settings["maxmemory"] = str(int(share))
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


REDIS = Redis(
    name=EngineName.REDIS,
    images={"8": "redis:8-alpine", "7": "redis:7-alpine"},
)
