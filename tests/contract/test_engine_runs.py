"""The containers that the engines describe, run with the real images."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from contract.images.image_process import REPOSITORY, ImageProcess, find_free_port, poll
from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Engine
from trading_operator.engines.redis import REDIS
from trading_operator.manifests.pod import Container, SecretFile

IMAGES = {
    EngineName.POSTGRESQL: "postgresql",
    EngineName.TIMESCALEDB: "timescaledb",
    EngineName.REDIS: "redis",
}
ENTRY_POINT = ("docker-entrypoint.sh",)
FILE = SecretFile("store/password", "secret", "password")
PASSWORD = 'it\'s a "pass\\word" $HOME #1'


@dataclass(frozen=True)
class Store:
    """A container of an engine with its volumes, as a pod would have them."""

    image: str
    engine: Engine
    container: Container
    folder: Path
    port: int = field(default_factory=find_free_port)

    def prepare(self) -> None:
        """Make the data, run and password files as the kubelet does with fsGroup."""
        group = self.engine.contract.group
        for name in ("data", "run"):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, 0, group)
            (self.folder / name).chmod(0o2775)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        os.chown(password, 0, group)
        password.chmod(0o440)

    def command(self, words: tuple[str, ...]) -> list[str]:
        """Return the command line that runs words in the image."""
        contract = self.engine.contract
        mounts = {"data": contract.data_path, "run": contract.run_path, "password": FILE.mounted_at}
        environment = {v["name"]: v["value"] for v in self.container.env} | {
            "PGPORT": str(self.port)
        }
        return [
            *(sys.executable, "-m", "images", "run", self.image, "--entrypoint", words[0]),
            *(p for here, to in mounts.items() for p in ("--mount", f"{self.folder / here}:{to}")),
            *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
            *("--", *words[1:]),
        ]

    def probe(self, kind: str) -> int:
        """Run a probe in the image and return its exit code."""
        command = tuple(self.container.probes[kind]["exec"]["command"])
        return self.run(command).returncode

    def run(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run words in the image."""
        command = self.command(words)
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    @contextmanager
    def started(self) -> Iterator[ImageProcess]:
        """Run the container until the end of the block."""
        words = (*(self.container.command or ENTRY_POINT), *self.container.args)
        if self.image != "redis":
            words = (*words, "-c", f"port={self.port}", "-c", "fsync=off")
        log = self.folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(words), cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield ImageProcess(process, log, 0)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(params=list(EngineName))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A datastore of every engine, ready to be started."""
    if os.geteuid() != 0:
        pytest.fail("these tests run images by chroot: run them as root")
    port = find_free_port()
    name: EngineName = request.param
    engine = replace(REDIS, port=port) if name is EngineName.REDIS else ENGINES[name]
    spec = Datastore.model_validate({"name": "store", "engine": name, "storage": {"size": "1Gi"}})
    container = engine.build_container(spec, "image:1", FILE)
    made = Store(IMAGES[name], engine, container, tmp_path, port)
    made.prepare()
    return made


@pytest.mark.acceptance("A39", "X30")
def test_a_store_starts_with_its_password_and_its_probes_tell_when_it_is_ready(
    store: Store,
) -> None:
    assert store.probe("readinessProbe") != 0
    assert store.probe("livenessProbe") != 0
    with store.started() as process:
        assert poll(lambda: store.probe("readinessProbe") == 0, 40), process.output[-3000:]
        assert store.probe("startupProbe") == 0
        assert store.probe("livenessProbe") == 0
        assert _with_password(store, PASSWORD) == 0
        assert _with_password(store, "guessed") != 0
        assert _leaks() == []


def _with_password(store: Store, password: str) -> int:
    """Log in over the network; return the client's exit code."""
    if store.image == "redis":
        script = (
            f'[ "$(REDISCLI_AUTH=$0 redis-cli --no-auth-warning -p {store.port} ping)" = PONG ]'
        )
        return store.run(("sh", "-c", script, password)).returncode
    script = "PGPASSWORD=$0 psql -h 127.0.0.1 -U trading -d trading -c 'select 1'"
    return store.run(("sh", "-c", script, password)).returncode


def _leaks() -> list[str]:
    """Return the running servers that have the password in an argument or a variable."""
    servers = [p for p in Path("/proc").glob("[0-9]*") if _is_server(p)]
    assert servers
    return [
        f"{place}/{name}"
        for place in servers
        for name in ("cmdline", "environ")
        if PASSWORD.encode() in _read(place / name)
    ]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # a server's process for a client has ended meanwhile


def _is_server(place: Path) -> bool:
    try:
        return (place / "comm").read_text().strip() in ("postgres", "redis-server")
    except OSError:
        return False


def test_timescaledb_is_loaded_with_its_statistics(tmp_path: Path) -> None:
    engine = ENGINES[EngineName.TIMESCALEDB]
    spec = {"name": "store", "engine": engine.name, "storage": {"size": "1Gi"}}
    container = engine.build_container(Datastore.model_validate(spec), "image:1", FILE)
    store = Store("timescaledb", engine, container, tmp_path)
    store.prepare()
    query = (
        "create extension if not exists pg_stat_statements; select count(*) from pg_stat_statements"
    )
    script = f"PGPASSWORD=$0 psql -h 127.0.0.1 -U trading -d trading -Atc '{query}'"
    with store.started() as process:
        assert poll(lambda: store.probe("readinessProbe") == 0, 40), process.output[-3000:]
        assert store.run(("sh", "-c", script, PASSWORD)).returncode == 0
