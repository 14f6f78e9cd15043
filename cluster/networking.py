"""The bridge, the kernel switches and the packet rules of the node, and how they go away."""

import itertools
import json
import re
from pathlib import Path

from cluster.commands import run, succeeds
from cluster.layout import BRIDGE, BRIDGE_ADDRESS, POD_CIDR

SYSTEM_SETTINGS = Path("/proc/sys")
BRIDGE_FILTER = SYSTEM_SETTINGS / "net/bridge/bridge-nf-call-iptables"
WANTED_SETTINGS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
# What kubelet and kube-proxy change by themselves; put back at the end.
CHANGED_BY_OTHERS = (
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet",
)
OUR_CHAIN = "TRADING-OPERATOR"
# KUBE-: kubelet and kube-proxy; only where no other ones run and a start of ours left its mark.
CHAIN_PREFIXES = ("KUBE-", OUR_CHAIN)
SUBNET_PREFIX_LENGTH = POD_CIDR.rpartition("/")[2]


def bridges_are_filtered() -> bool:
    """Tell whether iptables sees packets that stay on a bridge (module br_netfilter)."""
    return BRIDGE_FILTER.exists() or succeeds(["modprobe", "br_netfilter"])


def read_settings(names: list[str]) -> dict[str, str]:
    """Return the present values of kernel settings; those that do not exist are left out."""
    paths = {name: SYSTEM_SETTINGS / name for name in names}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def write_settings(values: dict[str, str]) -> None:
    """Set kernel settings that exist and differ."""
    for name, value in values.items():
        path = SYSTEM_SETTINGS / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def save_settings(file: Path) -> None:
    """Remember the kernel settings as they were before the first start."""
    if not file.exists():
        before = read_settings([*WANTED_SETTINGS, *CHANGED_BY_OTHERS])
        file.write_text(json.dumps(before), encoding="utf-8")


def restore_settings(file: Path) -> None:
    """Put the remembered kernel settings back."""
    if file.exists():
        write_settings(json.loads(file.read_text(encoding="utf-8")))


def apply_bridge() -> None:
    """Create the pods' bridge with the node's address, before anything listens on it."""
    if not succeeds(["ip", "link", "show", BRIDGE]):
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "replace", f"{BRIDGE_ADDRESS}/{SUBNET_PREFIX_LENGTH}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    write_settings(WANTED_SETTINGS)


def delete_bridge() -> None:
    """Delete the pods' bridge, if it is there."""
    if succeeds(["ip", "link", "show", BRIDGE]):
        run(["ip", "link", "delete", BRIDGE])


def build_our_rules() -> str:
    """Return the packet rules of our own, for iptables-restore --noflush."""
    return "\n".join(
        [
            "*nat",
            f":{OUR_CHAIN} - [0:0]",
            f"-A {OUR_CHAIN} -s {POD_CIDR} ! -d {POD_CIDR} -j MASQUERADE",
            f"-A POSTROUTING -j {OUR_CHAIN}",
            "COMMIT",
            # Where Docker is installed the FORWARD policy is DROP.
            "*filter",
            f":{OUR_CHAIN} - [0:0]",
            f"-A {OUR_CHAIN} -i {BRIDGE} -j ACCEPT",
            f"-A {OUR_CHAIN} -o {BRIDGE} -j ACCEPT",
            f"-A FORWARD -j {OUR_CHAIN}",
            "COMMIT",
            "",
        ]
    )


def apply_rules() -> None:
    """Let pods reach each other and the outside."""
    if not succeeds(["iptables", "-w", "-t", "nat", "-C", "POSTROUTING", "-j", OUR_CHAIN]):
        run(["iptables-restore", "-w", "--noflush"], stdin=build_our_rules())


def build_rule_removal(saved: str, prefixes: tuple[str, ...] = CHAIN_PREFIXES) -> str:
    """Return iptables-restore --noflush input that removes our chains from an iptables-save text.

    Rules of other chains are touched only where they jump into one of ours.
    """
    output: list[str] = []
    for table in re.findall(r"^\*\w+$.*?^COMMIT$", saved, re.MULTILINE | re.DOTALL):
        lines = table.splitlines()
        chains = [line[1:].split()[0] for line in lines if line.startswith(":")]
        ours = [chain for chain in chains if chain.startswith(prefixes)]
        if not ours:
            continue
        jumps = [line for line in lines if line.startswith("-A ") and _jumps_in(line, ours)]
        output += [lines[0], *(f"-D {line[3:]}" for line in jumps)]
        output += [*(f"-F {chain}" for chain in ours), *(f"-X {chain}" for chain in ours), "COMMIT"]
    return "\n".join([*output, ""]) if output else ""


def _jumps_in(rule: str, ours: list[str]) -> bool:
    words = rule.split()
    if words[1] in ours:
        return False
    return any(
        flag in ("-j", "-g") and target in ours for flag, target in itertools.pairwise(words)
    )


def delete_rules(prefixes: tuple[str, ...]) -> None:
    """Remove the chains whose names start so, for both address families."""
    for family in ("iptables", "ip6tables"):
        if not succeeds([f"{family}-save"]):
            continue
        removal = build_rule_removal(run([f"{family}-save"]), prefixes)
        if removal:
            run([f"{family}-restore", "-w", "--noflush"], stdin=removal)
