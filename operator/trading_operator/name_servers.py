"""The name servers of this pod: those that the kubelet gives every pod of the cluster."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")


def read_name_servers(path: Path = RESOLV_CONF) -> tuple[str, ...]:
    """Return the addresses of the name servers, none when the file cannot be read."""
    try:
        text = path.read_text()
    except OSError:
        return ()
    return tuple(dict.fromkeys(_addresses(text)))


def _addresses(text: str) -> Iterator[str]:
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                try:
                    yield str(ip_address(address.partition("%")[0]))
                except ValueError:
                    continue  # what resolvers cannot use either
