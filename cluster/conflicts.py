"""Refusing to start where somebody else's cluster already uses what we would use."""

import errno
import ipaddress
import json
import socket
import time
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.layout import BRIDGE, POD_CIDR, Layout
from cluster.processes import is_own_command, read_command_line

# Two of these on one machine undo each other's packet rules and containers.
NODE_PROGRAMS = frozenset({"kubelet", "kube-proxy", "k3s", "k0s", "rke2", "microk8s"})


def find_overlaps(addresses: list[dict[str, object]], cidr: str, bridge: str) -> list[str]:
    """Return the interfaces, other than our bridge, whose addresses overlap with a network."""
    network = ipaddress.ip_network(cidr)
    overlaps = []
    for interface in addresses:
        entries = interface.get("addr_info", [])
        assert isinstance(entries, list)
        for entry in entries:
            own = ipaddress.ip_interface(f"{entry['local']}/{entry['prefixlen']}").network
            if own.version == 4 and interface["ifname"] != bridge and own.overlaps(network):
                overlaps.append(f"{interface['ifname']} ({own})")
    return overlaps


def find_foreign_node_programs(state: Path) -> list[str]:
    """Return running node programs in our process namespace that are not of that state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            arguments = read_command_line(int(entry.name)) or [""]
            program = Path(arguments[0]).name
            if program in NODE_PROGRAMS and not is_own_command(arguments, state):
                found.append(f"{program} (pid {entry.name})")
    return sorted(found)


def check_foreign_node(layout: Layout) -> None:
    """Raise where another cluster's node runs; call it before anything is changed or cleaned."""
    foreign = find_foreign_node_programs(layout.state) if layout.profile.has_node else []
    if foreign:
        raise ClusterError(
            f"another cluster's node runs on this machine: {', '.join(foreign)}. Stop it, or use "
            "it: point KUBECONFIG at it and add `CLUSTER=current` (`--provider current`)"
        )


def is_port_taken(host: str, port: int, seconds: float = 5.0) -> bool:
    """Tell whether another program keeps listening on an address of this machine."""
    # The threads of a killed process hold its sockets for a moment after it is gone.
    deadline = time.monotonic() + seconds
    while taken := _is_in_use(host, port):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return taken


def _is_in_use(host: str, port: int) -> bool:
    # Binding, not connecting: an address that is not ours yet may answer from elsewhere.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def check_conflicts(layout: Layout) -> None:
    """Raise when a start would collide; call it only after our own traces are gone."""
    profile = layout.profile
    if is_port_taken(profile.api_host, profile.api_port):
        raise ClusterError(
            f"port {profile.api_port} of {profile.api_host} is taken by another program: end it"
        )
    if not profile.has_node:
        return
    overlaps = find_overlaps(json.loads(run(["ip", "-json", "address"])), POD_CIDR, BRIDGE)
    if overlaps:
        raise ClusterError(f"the pods' network {POD_CIDR} is in use by {', '.join(overlaps)}")
