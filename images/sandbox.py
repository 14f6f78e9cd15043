"""Run an image's program from its unpacked files, as a pod would: own user, read-only root."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from images.layout import ImageConfig

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x8000000, 0x20000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SCRATCH_FOLDERS = ("/tmp", "/run/postgresql")

# Every mount is private to the process and gone with it. $1 is the root; the rest are pairs.
MOUNT_SCRIPT = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/dev"
mkdir -m 1777 "$root/dev/shm"
mkdir "$root/dev/pts"
for device in null zero full random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%%:*}" "$root/dev/${n#*:}"; done
for folder in $SCRATCH; do
  if [ -d "$root$folder" ]; then mount -t tmpfs -o mode=1777,size=64m tmpfs "$root$folder"; fi
done
while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}"; touch "$root$2"; fi
  mount --bind "$1" "$root$2"
  shift 2
done
mount -o remount,bind,ro "$root"
"""


@dataclass(frozen=True)
class Sandbox:
    """An unpacked image, and what is mounted into it: paths here by paths inside."""

    rootfs: Path
    config: ImageConfig
    mounts: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> tuple[int, int]:
        """The numeric user and group of the image."""
        user, _, group = self.config.user.partition(":")
        return int(user), int(group or user)

    def run(self, arguments: Sequence[str]) -> int:
        """Run the image's entry point to its end and give its exit code; SIGTERM stops it."""
        if os.geteuid() != 0:
            raise PermissionError("running an image without a cluster needs root: run it as root")
        self._make_mount_sources()
        # Held while it runs: files in use are not cleaned away.
        fcntl.flock(os.open(self.rootfs, os.O_RDONLY), fcntl.LOCK_SH)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID):
            raise OSError(ctypes.get_errno(), "unshare")
        child = os.fork()
        if child == 0:
            self._become(libc, list(arguments))
        return self._wait(child)

    def _make_mount_sources(self) -> None:
        for path in self.mounts.values():
            if not path.exists():
                path.mkdir(parents=True)
                os.chown(path, *self.owner)

    def _become(self, libc: ctypes.CDLL, arguments: list[str]) -> None:
        """Never returns: turns into the image's program, or ends with 127."""
        try:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            self._enter()
            # Once more: a change of user takes it back.
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            command = [*self.config.entrypoint, *(arguments or self.config.command)]
            environment = {**self.config.environment, **self.environment}
            os.execvpe(command[0], command, environment)
        except Exception as error:
            print(f"images run: {error}", file=sys.stderr, flush=True)
        os._exit(127)

    def _enter(self) -> None:
        pairs = [str(part) for inside, here in self.mounts.items() for part in (here, inside)]
        subprocess.run(
            ["sh", "-c", MOUNT_SCRIPT, "sh", str(self.rootfs), *pairs],
            check=True,
            env={"PATH": os.environ["PATH"], "SCRATCH": " ".join(SCRATCH_FOLDERS)},
        )
        os.chroot(self.rootfs)
        os.chdir(self.config.working_folder)
        user, group = self.owner
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)

    def _wait(self, child: int) -> int:
        def stop(_number: int, _frame: FrameType | None) -> None:
            os.kill(child, signal.Signals[self.config.stop_signal])

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) % 256
