"""What the operator hands a service: identity, addresses of dependencies, and secrets as files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trading_operator.api.common import Dependency
from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import EnvironmentVariable, Expose, Service
from trading_operator.engines import ENGINES
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.pod import SecretFile
from trading_operator.plan.address import endpoint_of
from trading_operator.plan.draft import SecretNeed, System
from trading_operator.plan.references import credentials_name, password_key
from trading_operator.plan.trading_state import STATE_VARIABLE, state_file


@dataclass(frozen=True)
class Environment:
    """A service's variables and the secret files that they name."""

    variables: tuple[Manifest, ...]
    secret_files: tuple[SecretFile, ...]
    needs: tuple[SecretNeed, ...]

    @property
    def secrets(self) -> frozenset[str]:
        """Return the names of all Secrets whose values the service reads."""
        files = (file.secret for file in self.secret_files)
        return frozenset((*files, *(need.name for need in self.needs)))


@dataclass(frozen=True)
class _Entry:
    variable: Manifest
    file: SecretFile | None = None
    need: SecretNeed | None = None


def plan_environment(system: System, service: Service, path: str) -> Environment:
    """Return the environment of a service; later sources override earlier ones by name."""
    entries = {
        entry.variable["name"]: entry
        for entry in (
            *_identity(system, service),
            *_dependencies(system, service),
            *_own(system, service, path),
        )
    }
    files = tuple(entry.file for entry in entries.values() if entry.file is not None)
    _refuse_clashing_files(files, path)
    needs = tuple(entry.need for entry in entries.values() if entry.need is not None)
    return Environment(tuple(entry.variable for entry in entries.values()), files, needs)


def variable_prefix(component: str) -> str:
    """Return how a component's name begins the variables about it."""
    return component.upper().replace("-", "_")


def _plain(name: str, value: str) -> _Entry:
    return _Entry({"name": name, "value": value})


def _identity(system: System, service: Service) -> Iterator[_Entry]:
    yield _plain("TRADING_SYSTEM", system.owner.name)
    yield _plain("TRADING_COMPONENT", service.name)
    yield _plain("TRADING_MODE", system.spec.mode.value)
    yield _plain(STATE_VARIABLE, state_file())
    for name, field in (("POD_NAME", "metadata.name"), ("POD_UID", "metadata.uid")):
        yield _Entry({"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}})


def _dependencies(system: System, service: Service) -> Iterator[_Entry]:
    # By name: the order of a list whose items have names tells nothing.
    for dependency in sorted(service.depends_on, key=lambda each: each.name):
        yield from _address(system, dependency)


def _address(system: System, dependency: Dependency) -> Iterator[_Entry]:
    component = system.components[dependency.name]
    endpoint = endpoint_of(system.owner, component)
    if endpoint is None:
        return
    prefix = variable_prefix(dependency.name)
    yield _plain(f"{prefix}_HOST", endpoint.host)
    yield _plain(f"{prefix}_PORT", str(endpoint.port))
    if not isinstance(component, Datastore):
        yield _plain(f"{prefix}_URL", f"http://{endpoint.host}:{endpoint.port}")
        return
    connection = ENGINES[component.engine].connection(component, endpoint)
    for suffix, value in connection.items():
        yield _plain(f"{prefix}_{suffix}", value)
    file = password_file(system, component, optional=not dependency.required)
    yield _Entry({"name": f"{prefix}_PASSWORD_FILE", "value": file.mounted_at}, file)


def password_file(system: System, store: Datastore, optional: bool = False) -> SecretFile:
    """Return the file with a datastore's password, the same path in every pod."""
    secret = credentials_name(system.owner, store)
    return SecretFile(f"{store.name}/password", secret, password_key(store), optional)


def _own(system: System, service: Service, path: str) -> Iterator[_Entry]:
    shared = {
        variable.name: (variable, f"env[{at}]") for at, variable in enumerate(system.spec.env)
    }
    own = {
        variable.name: (variable, f"{path}.env[{at}]") for at, variable in enumerate(service.env)
    }
    for variable, where in (shared | own).values():
        yield _declared(variable, where)


def _declared(variable: EnvironmentVariable, path: str) -> _Entry:
    reference = variable.secret_key_ref
    if (variable.value is None) == (reference is None):
        raise InvalidSpecError(
            path, f"{variable.name} needs either value or secretKeyRef", "give exactly one of them"
        )
    if reference is None:
        return _plain(variable.name, variable.value or "")
    need = SecretNeed(reference.name, reference.key, f"{path}.secretKeyRef")
    if variable.expose is Expose.VARIABLE:
        source = {"secretKeyRef": {"name": reference.name, "key": reference.key}}
        return _Entry({"name": variable.name, "valueFrom": source}, None, need)
    file = SecretFile(f"{reference.name}/{reference.key}", reference.name, reference.key)
    return _Entry({"name": f"{variable.name}_FILE", "value": file.mounted_at}, file, need)


def _refuse_clashing_files(files: Iterable[SecretFile], path: str) -> None:
    sources: dict[str, tuple[str, str]] = {}
    for file in files:
        source = (file.secret, file.key)
        if sources.setdefault(file.path, source) != source:
            raise InvalidSpecError(
                f"{path}.env",
                f"the Secret {file.secret} and the dependency of that name share {file.mounted_at}",
                "rename the Secret, or expose it as a Variable",
            )
