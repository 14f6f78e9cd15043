"""The demo's steps: cluster, images, operator, trading system, what it did."""

import json
import subprocess
import sys
import time
from pathlib import Path

from cluster import api
from demo.kubectl import CommandError, Tools
from demo.watching import wait_until_ready
from images.catalogue import BY_NAME

ROOT = Path(__file__).resolve().parent.parent
OPERATOR_NAMESPACE = "trading-operator"
NAMESPACE = "autonomous"
SYSTEM = "autonomous"
STRATEGY_POD = f"{SYSTEM}-trading-strategy-0"
READY_TIMEOUT = 600.0  # seconds
TRADES_TIMEOUT = 120.0  # seconds
WANTED_FILLS = 4

NEXT = """
Look further:
  export KUBECONFIG={kubeconfig} PATH={bin_dir}:$PATH
  kubectl get tradingsystems -n {namespace}
  kubectl describe tradingsystem {system} -n {namespace}
  kubectl explain tradingsystem.spec.services
  kubectl logs -n {namespace} {pod} --tail=20
  kubectl exec -n {namespace} {pod} -- trading-services report
Clean up: make demo-down
"""


def say(text: str) -> None:
    """Print a step's heading at once."""
    print(f"\n▶ {text}", flush=True)


def build_images() -> list[Path]:
    """Build the images that changed, with progress on the terminal; return their layouts."""
    for action in ("build", "layouts"):
        command = [sys.executable, "-m", "images", action]
        output = subprocess.PIPE if action == "layouts" else None
        done = subprocess.run(command, cwd=ROOT, stdout=output, text=True, check=False)
        if done.returncode != 0:
            raise CommandError(f"`python3 -m images {action}` failed; its last lines say why")
    return [Path(line) for line in done.stdout.splitlines()]


def bring_up(cluster: str) -> None:
    """Run the whole demo."""
    started = time.monotonic()
    tools, layouts = prepare_cluster(cluster)
    say("The operator: helm install trading-operator")
    install_operator(tools, layouts)
    say(f"The trading system: kubectl apply -k examples/autonomous (namespace {NAMESPACE})")
    apply_system(tools)
    seconds = wait_until_ready(tools, NAMESPACE, SYSTEM, READY_TIMEOUT)
    print(f"\n  Ready after {seconds:.0f} s.\n")
    print(tools.run("kubectl", "get", "tradingsystems", "-n", NAMESPACE))
    say("What the strategy did with the recorded market data")
    print(wait_for_trades(tools))
    print(f"Done in {time.monotonic() - started:.0f} s.")
    print(
        NEXT.format(
            kubeconfig=tools.kubeconfig,
            bin_dir=tools.bin_dir,
            namespace=NAMESPACE,
            system=SYSTEM,
            pod=STRATEGY_POD,
        )
    )


def prepare_cluster(cluster: str) -> tuple[Tools, list[Path]]:
    """Bring up a cluster that has the images; return how to talk to it and what was loaded."""
    say("A Kubernetes cluster")
    handle = api.ensure_up("node", cluster)
    layouts: list[Path] = []
    if cluster != "current":
        say("The images: databases, operator, trading services")
        layouts = build_images()
        api.load_images(layouts, cluster)
    return Tools(handle.kubeconfig, handle.bin_dir), layouts


def create_namespace(tools: Tools, name: str) -> None:
    """Create a namespace that admits only pods of the restricted profile."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    tools.run("kubectl", "apply", "-f", "-", stdin=json.dumps(manifest))


def local_images(layouts: list[Path]) -> list[str]:
    """Build the chart's settings that make it take the locally built images.

    The operator's image keeps its tag when its code changes here, so its pod is told its content.
    """
    operator = next(layout for layout in layouts if layout.parent.name == "trading-operator")
    settings = {"podAnnotations.image-content": operator.name}
    for engine in ("timescaledb", "postgresql", "redis"):
        settings[f"engines.{engine}.image"] = BY_NAME[engine].reference
    return [flag for key, value in settings.items() for flag in ("--set-string", f"{key}={value}")]


def install_operator(tools: Tools, layouts: list[Path]) -> None:
    """Install or upgrade the operator with its chart and wait until it runs.

    `layouts` are the images that were loaded into the cluster; empty where a registry has them.
    """
    create_namespace(tools, OPERATOR_NAMESPACE)
    print(
        tools.run(
            "helm",
            "upgrade",
            "--install",
            "trading-operator",
            str(ROOT / "helm" / "trading-operator"),
            "--namespace",
            OPERATOR_NAMESPACE,
            "--wait",
            "--timeout",
            "3m",
            *(local_images(layouts) if layouts else []),
            timeout=240,
        )
    )


def apply_system(tools: Tools) -> None:
    """Apply the example."""
    create_namespace(tools, NAMESPACE)
    print(tools.run("kubectl", "apply", "-n", NAMESPACE, "-k", str(ROOT / "examples/autonomous")))


def read_report(tools: Tools, *flags: str) -> str:
    """Ask the strategy's own pod what the database says it did."""
    exec_in_pod = ("kubectl", "exec", "-n", NAMESPACE, STRATEGY_POD, "--")
    return tools.run(*exec_in_pod, "trading-services", "report", *flags)


def count_fills(tools: Tools) -> int:
    """Return how many orders of all strategies were filled."""
    strategies = json.loads(read_report(tools, "--json"))["summaries"]
    return sum(strategy["fills"] for strategy in strategies)


def wait_for_trades(tools: Tools) -> str:
    """Wait until orders were filled (bounded) and return the report."""
    deadline = time.monotonic() + TRADES_TIMEOUT
    while time.monotonic() < deadline:
        if count_fills(tools) >= WANTED_FILLS:
            break
        time.sleep(2)
    return read_report(tools)


def bring_down(cluster: str) -> None:
    """Remove everything that the demo made."""
    if cluster == "current":
        handle = api.ensure_up("node", cluster)
        remove_from_current(Tools(handle.kubeconfig, handle.bin_dir))
    api.stop("node", cluster)
    print("Nothing of the demo is left but the cache of built programs and images.")


def remove_from_current(tools: Tools) -> None:
    """Remove the demo from a cluster that is not ours."""
    say("Removing the demo from the current cluster")
    gone = ("--ignore-not-found", "--wait", "--timeout=120s")
    tools.run("kubectl", "delete", "namespace", NAMESPACE, *gone, timeout=150)
    tools.run(
        "helm", "uninstall", "trading-operator", "-n", OPERATOR_NAMESPACE, "--ignore-not-found"
    )
    tools.run("kubectl", "delete", "crd", "tradingsystems.tradingoperator.io", *gone, timeout=150)
    tools.run("kubectl", "delete", "namespace", OPERATOR_NAMESPACE, *gone, timeout=150)
