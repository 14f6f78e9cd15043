"""A database image on a volume of its own: started, asked, stopped and killed."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from contract.images.image_process import ImageProcess, find_free_port, run_image

VOLUME = "/var/lib/postgresql/data"
# A folder inside the volume, as the operator sets it: a volume's root belongs to root.
PGDATA = f"{VOLUME}/pgdata"
SCRIPTS = "/docker-entrypoint-initdb.d"
SECRET = "/run/secrets/database/password"
PASSWORD = 'it\'s a "pass\\word" $HOME'
# Durability is not what these tests are about, and a shared disk is slow.
FAST = ("-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "listen_addresses=127.0.0.1")


@dataclass(frozen=True)
class Volume:
    """What outlives a database's process, prepared as a kubelet does it with fsGroup 70."""

    image: str
    folder: Path
    port: int = field(default_factory=find_free_port)

    def __post_init__(self) -> None:
        """Make the data, script and secret folders."""
        for name in ("data", "scripts"):
            (self.folder / name).mkdir()
        os.chown(self.data, 0, 70)
        self.data.chmod(0o2775)
        self.secret.write_text(PASSWORD + "\n")
        os.chown(self.secret, 0, 70)
        self.secret.chmod(0o440)

    @property
    def data(self) -> Path:
        """The volume's root."""
        return self.folder / "data"

    @property
    def cluster(self) -> Path:
        """PGDATA, seen from outside."""
        return self.data / "pgdata"

    @property
    def secret(self) -> Path:
        """The file that holds the password."""
        return self.folder / "password"

    def write_script(self, name: str, text: str) -> None:
        """Put an initialisation script in place."""
        (self.folder / "scripts" / name).write_text(text)

    @property
    def log(self) -> Path:
        """What every run has printed."""
        return self.folder / "log"

    @contextmanager
    def run(self, environment: Mapping[str, str] | None = None) -> Iterator[ImageProcess]:
        """Run the database; ready or not."""
        settings = {
            "POSTGRES_USER": "trader",
            "POSTGRES_DB": "trading",
            "POSTGRES_PASSWORD_FILE": SECRET,
            "POSTGRES_INITDB_ARGS": "--no-sync",
            "PGDATA": PGDATA,
        }
        mounts = {VOLUME: self.data, SCRIPTS: self.folder / "scripts", SECRET: self.secret}
        arguments = ["-c", f"port={self.port}", *FAST]
        environment = settings if environment is None else environment
        with run_image(self.image, self.log, mounts, environment, arguments) as process:
            yield process

    @contextmanager
    def run_ready(self) -> Iterator[ImageProcess]:
        """Run the database and wait until it takes connections."""
        with self.run() as process:
            process.wait_until(self.answers)
            yield process

    def connect(self, database: str = "trading", password: str = PASSWORD) -> extensions.connection:
        """Log in over TCP, as every client does."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="trader", dbname=database, password=password
        )
        connection.autocommit = True
        return connection

    def answers(self) -> bool:
        """Whether a client can log in now."""
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def read(self, query: str, database: str = "trading") -> list[tuple[object, ...]]:
        """Run one statement; give its rows, none for a command."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def unpublish(self) -> None:
        """Put a stopped cluster back to just before the last move of its first start."""
        staging = self.cluster / ".initialising" / "data"
        staging.mkdir(parents=True)
        shutil.move(self.cluster / "PG_VERSION", staging / "PG_VERSION")
        for path in (staging.parent, staging):
            os.chown(path, 70, 70)
