"""Redis: a copy over the wire, checked before it is kept; restored key by key by Redis itself."""

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from trading_backup.engines.base import refuse_statements
from trading_backup.engines.parts import PartName, save_output, write_part
from trading_backup.engines.throwaway import start_server
from trading_backup.errors import BackupError
from trading_backup.job import RedisTarget
from trading_backup.manifest import Facts, Manifest, Part, TargetRecord
from trading_backup.programs import Command
from trading_backup.reasons import Reason
from trading_backup.redis_client import RedisClient, RedisReplyError, connect_tcp, connect_unix
from trading_backup.restic import last_words
from trading_backup.tools import Tools

_RDB = "dump.rdb"
_COUNT = re.compile(r"^\[info\] ([0-9]+) (keys read|expires)$", re.MULTILINE)
_KEYSPACE = re.compile(r"^db([0-9]+):keys=([0-9]+),expires=([0-9]+)", re.MULTILINE)
_POLL_SECONDS = 0.1
# A key of many gigabytes is one message.
_MIGRATE_MILLISECONDS = 600_000


@dataclass(frozen=True)
class _Copy:
    """A server's data in a file."""

    file: Path
    version: str
    as_of: datetime
    seconds: float  # that it took


class RedisServer:
    """One server with all its databases."""

    holds_by_copying = True

    def __init__(self, target: RedisTarget, tools: Tools) -> None:
        """Read the password; nothing is connected yet."""
        self._target = target
        self._tools = tools
        file = target.password_file
        self._password = tools.secrets.read(file, target.name) if file else ""
        self._copy: _Copy | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let the server send its data as a replica would get them."""
        began, as_of = time.monotonic(), self._tools.clock()
        with _folder(self._tools) as folder:
            with self._connected() as client:
                version = _read_version(client)
            self._fetch(folder / _RDB)
            self._copy = _Copy(folder / _RDB, version, as_of, time.monotonic() - began)
            yield

    def dump(self, set_id: str, base: Manifest | None) -> TargetRecord:
        """Check the copy that is held, and save it."""
        began, copy = time.monotonic(), self._copy
        assert copy is not None, "nothing is held"
        facts = self._check_file(copy.file)
        name = PartName(set_id, self._target.name, "rdb")
        source = Command(("cat", str(copy.file)))
        part = save_output(self._tools, name, "RDB", f"{self._target.name}.rdb", source)
        return TargetRecord(
            name=self._target.name,
            engine=self._target.engine,
            method="Logical",
            parts=(part,),
            facts=facts,
            versions={"server": copy.version},
            as_of=copy.as_of,
            seconds=round(copy.seconds + time.monotonic() - began, 3),
        )

    def check_target(self, record: TargetRecord, in_place: bool) -> None:
        """Refuse an older server and one with keys; one that begins with a copy has none."""
        if self._target.path is not None:
            return
        start_server(self._tools, self._target.start_file, self._ask)
        with self._connected() as client:
            version = _read_version(client)
            found = sum(keys for _, keys, _ in _read_keyspace(client))
        if is_older(version, record.versions["server"]):
            raise BackupError(
                Reason.TARGET_UNSUITABLE,
                f"{self._target.name}: Redis {version} is older than {record.versions['server']}, "
                "which the set was made with",
                "restore to a server of the same version or a newer one",
                permanent=True,
            )
        if found and not in_place:
            raise BackupError(
                Reason.TARGET_NOT_EMPTY,
                f"{self._target.name}: the server holds {found} keys",
                "restore to an empty server, or ask for mode InPlace, which deletes them",
                permanent=True,
            )

    def restore(self, chain: Sequence[TargetRecord], in_place: bool) -> None:
        """Give the copy to a drill's server, or send every key of it to one that runs."""
        [part] = chain[-1].parts
        if self._target.path is not None:
            self._write(part, self._target.path)
            start_server(self._tools, self._target.start_file, self._ask)
            return
        with _folder(self._tools) as folder:
            self._write(part, folder / _RDB)
            with self._loaded(folder) as loaded, self._connected() as client:
                self._send_functions(loaded, client)
                if in_place:
                    client.ask("FLUSHALL")  # it leaves functions alone
                self._send_keys(loaded)

    def read_facts(self, record: TargetRecord) -> Facts:
        """Count the keys that do not expire: the others may be gone since."""
        with self._connected() as client:
            keyspace = _read_keyspace(client)
        return {"server": {"persistent keys": sum(keys - expires for _, keys, expires in keyspace)}}

    def find_untrue(self, statements: Sequence[str]) -> list[str]:
        """Refuse assertions."""
        return refuse_statements(self._target.engine, statements)

    def publish(self) -> None:
        """Nothing waits: the keys are there."""

    def discard(self) -> None:
        """Nothing is beside the former keys."""

    def _write(self, part: Part, file: Path) -> None:
        sink = Command(("dd", f"of={file}", "bs=1M", "status=none"))
        write_part(self._tools, part, sink)
        file.chmod(0o640)  # a drill's server runs under an id of its own, in the same group

    def _ask(self) -> None:
        with self._connected() as client:
            client.ask("PING")

    @contextmanager
    def _connected(self) -> Iterator[RedisClient]:
        target = self._target
        try:
            with connect_tcp(target.host, target.port, self._password, self._tools.stop) as client:
                yield client
        except RedisReplyError as error:
            raise self._explain(str(error)) from error
        except OSError as error:
            raise BackupError(
                Reason.TARGET_UNREACHABLE,
                f"{target.name}: no connection: {error}",
                "look whether the datastore is Ready and this pod may reach it",
            ) from error

    def _explain(self, words: str) -> BackupError:
        if words.startswith("LOADING"):
            problem, mend = f"{self._target.name}: it still loads its data", "wait for it"
            return BackupError(Reason.TARGET_UNREACHABLE, problem, mend)
        if words.startswith(("NOAUTH", "WRONGPASS")):
            problem, mend = f"{self._target.name}: no login: {words}", "check the password's Secret"
            return BackupError(Reason.AUTHENTICATION_FAILED, problem, mend, permanent=True)
        problem = f"{self._target.name}: the server said: {words}"
        return BackupError(
            Reason.TARGET_REFUSED, problem, "mend the cause; the next run tries again"
        )

    def _fetch(self, file: Path) -> None:
        words = ("redis-cli", "-h", self._target.host, "-p", str(self._target.port))
        environment = {"REDISCLI_AUTH": self._password} if self._password else {}
        command = Command((*words, "--no-auth-warning", "--rdb", str(file)), environment)
        finished = self._tools.programs.run(command)
        if finished.code:
            problem = f"{self._target.name}: redis-cli ended with {finished.code}"
            words_said = last_words(finished)
            mend = "mend its cause; the next run tries again"
            raise BackupError(Reason.DUMP_FAILED, f"{problem}: {words_said}", mend)

    def _check_file(self, file: Path) -> Facts:
        """Let Redis' own program read the whole file; return the facts that it counted."""
        finished = self._tools.programs.run(Command(("redis-check-rdb", str(file))))
        counts = {what: int(count) for count, what in _COUNT.findall(finished.output)}
        if finished.code or "keys read" not in counts:
            newer = "Can't handle RDB format version" in finished.output
            raise BackupError(
                Reason.TARGET_UNSUITABLE if newer else Reason.DUMP_FAILED,
                f"{self._target.name}: redis-check-rdb: {finished.output[-300:].strip()}",
                "run a trading-backup image with a Redis as new as the server"
                if newer
                else "the copy was thrown away; the next run tries again",
                permanent=newer,
            )
        return {"server": {"persistent keys": counts["keys read"] - counts.get("expires", 0)}}

    @contextmanager
    def _loaded(self, folder: Path) -> Iterator[RedisClient]:
        """Run a server of our own that has loaded the copy."""
        socket = folder / "socket"
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "dbfilename": _RDB,
            "appendonly": "no",
            "save": "",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with self._tools.programs.serving(Command(("redis-server", *words))):
            self._wait_for(socket)
            with connect_unix(socket, self._tools.stop) as client:
                self._wait_until_loaded(client)
                yield client

    def _wait_for(self, socket: Path) -> None:
        for _ in range(100):
            self._tools.stop.check()
            if socket.exists():
                return
            time.sleep(_POLL_SECONDS)
        raise self._not_loaded("it did not start")

    def _wait_until_loaded(self, client: RedisClient) -> None:
        while True:
            try:
                client.ask("PING")
                return
            except RedisReplyError as error:
                if not str(error).startswith("LOADING"):
                    raise self._not_loaded(str(error)) from error
            except OSError as error:
                raise self._not_loaded(str(error)) from error
            time.sleep(_POLL_SECONDS)

    def _not_loaded(self, words: str) -> BackupError:
        problem = f"{self._target.name}: the Redis of this Job could not load the copy: {words}"
        mend = "give the Job as much memory as the server has; then restore again"
        return BackupError(Reason.RESTORE_FAILED, problem, mend)

    def _send_functions(self, loaded: RedisClient, client: RedisClient) -> None:
        """Send the functions first: a server that does not take our format says so before it is
        emptied.
        """
        with self._refused("the functions were"):
            client.ask("FUNCTION", "RESTORE", loaded.ask_bytes("FUNCTION", "DUMP"), "REPLACE")

    def _send_keys(self, loaded: RedisClient) -> None:
        with self._refused("a key was"):
            for database, keys, _ in _read_keyspace(loaded):
                loaded.ask("SELECT", database)
                sent = 0
                for batch in loaded.scan():
                    loaded.ask(*self._migrate(database), *batch)
                    sent += len(batch)
                    self._tools.progress.tell_share(min(sent / keys, 1.0))

    @contextmanager
    def _refused(self, what: str) -> Iterator[None]:
        try:
            yield
        except RedisReplyError as error:
            raise BackupError(
                Reason.RESTORE_FAILED,
                f"{self._target.name}: {what} not taken: {error}",
                "restore to a Redis of the same version or a newer one, with as much memory",
            ) from error

    def _migrate(self, database: int) -> tuple[str | int, ...]:
        """Build the command by which our own server hands keys to the target."""
        login = ("AUTH", self._password) if self._password else ()
        place = (self._target.host, self._target.port, "", database, _MIGRATE_MILLISECONDS)
        return ("MIGRATE", *place, "COPY", "REPLACE", *login, "KEYS")


@contextmanager
def _folder(tools: Tools) -> Iterator[Path]:
    """Make a folder for the copy and remove it at the end."""
    folder = Path(mkdtemp(prefix="redis-", dir=tools.job.scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_older(version: str, than: str) -> bool:
    """Tell whether a server may not know the format of another one; patches do not change it."""
    return _feature_release(version) < _feature_release(than)


def _feature_release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall("[0-9]+", version)[:2])


def _read_version(client: RedisClient) -> str:
    info = client.ask_bytes("INFO", "server").decode()
    return next(
        line.partition(":")[2] for line in info.splitlines() if line.startswith("redis_version:")
    )


def _read_keyspace(client: RedisClient) -> list[tuple[int, int, int]]:
    """Read each database's number, its keys, and how many of them expire."""
    info = client.ask_bytes("INFO", "keyspace").decode()
    return [(int(a), int(b), int(c)) for a, b, c in _KEYSPACE.findall(info)]
