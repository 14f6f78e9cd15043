"""The Debian base without a registry: debootstrapped, brought up to date, slimmed."""

import hashlib
import re
import shutil
from pathlib import Path

from images.catalogue import REPOSITORY
from images.progress import Log

SUITE = "trixie"
# Raise the date in this file to rebuild every image on that day's packages.
UPDATED_ON = REPOSITORY / "images" / "debian" / "updated-on"
# As in Debian's own slim images: nobody reads manuals in a container.
EXCLUDED = ("doc", "info", "locale", "man")
DPKG_CONFIG = "".join(f"path-exclude /usr/share/{name}/*\n" for name in EXCLUDED)
DPKG_CONFIG += "path-include /usr/share/doc/*/copyright\n"
APT_CONFIG = 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
APT_CONFIG += 'APT::Keep-Downloaded-Packages "false";\nAcquire::Languages "none";\n'
LEFTOVERS = ("etc/hostname", "etc/resolv.conf", "etc/machine-id", "var/log/bootstrap.log")


def compute_debian_key() -> str:
    """The key of the base: it changes with the date of the packages and with this file."""
    parts = [Path(__file__).read_bytes(), UPDATED_ON.read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def build_sources(main_line: str) -> str:
    """Apt sources with updates and security fixes, from the one line that debootstrap wrote."""
    match = re.match(r"deb (\S+) ", main_line)
    if match is None:
        raise ValueError(f"debootstrap wrote sources that are not understood: {main_line!r}")
    mirror = match[1].rstrip("/")
    return (
        f"deb {mirror} {SUITE} main\n"
        f"deb {mirror} {SUITE}-updates main\n"
        f"deb {mirror}-security {SUITE}-security main\n"
    )


def make_rootfs(target: Path, log: Log) -> None:
    """Bootstrap Debian into a new folder; a mount of its own dies with the command."""
    private = ["unshare", "--mount", "--propagation", "private"]
    log.run([*private, "debootstrap", "--variant=minbase", SUITE, str(target)])
    sources = target / "etc/apt/sources.list"
    sources.write_text(build_sources(sources.read_text()))
    (target / "etc/dpkg/dpkg.cfg.d/slim").write_text(DPKG_CONFIG)
    (target / "etc/apt/apt.conf.d/slim").write_text(APT_CONFIG)
    shutil.copyfile("/etc/resolv.conf", target / "etc/resolv.conf")
    for arguments in (["update"], ["-y", "upgrade"], ["clean"]):
        log.run([*private, "chroot", str(target), "apt-get", *arguments])
    _slim(target)


def _slim(target: Path) -> None:
    for name in EXCLUDED:
        for path in sorted((target / "usr/share" / name).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.name != "copyright":
                path.unlink()
    for folder in ("var/lib/apt/lists", "var/cache/apt", "var/log/apt"):
        shutil.rmtree(target / folder, ignore_errors=True)
    # Apt makes the two folders again, but not their parents' partial folders.
    (target / "var/lib/apt/lists/partial").mkdir(parents=True)
    (target / "var/cache/apt/archives/partial").mkdir(parents=True)
    for file in LEFTOVERS:
        (target / file).unlink(missing_ok=True)
