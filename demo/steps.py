"""The demo's steps: cluster, images, operator, trading system, what it did."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from cluster import api
from demo import ownership
from demo.kubectl import CommandError, Tools
from demo.ownership import LABEL, LABELS, RELEASE, check_ours, delete_demo, read_things
from demo.watching import wait_until_ready
from images.catalogue import BY_NAME

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = ownership.NAMESPACE
OPERATOR_NAMESPACE = ownership.OPERATOR_NAMESPACE
SYSTEM = "autonomous"
STRATEGY_POD = f"{SYSTEM}-trading-strategy-0"
READY_TIMEOUT = 600.0  # seconds
TRADES_TIMEOUT = 120.0  # seconds
WANTED_FILLS = 4
ENGINES = ("timescaledb", "postgresql", "redis")
# Of the names that the example gives its own images.
EXAMPLE_PREFIX = "autonomous_trading_system"

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


def check_images(provider: str, images: str) -> None:
    """Refuse at once what would end in pods without an image."""
    if provider == "current" and not images:
        raise CommandError(
            "the current cluster cannot read the images built here: push them to a registry that "
            'it reads (docs/quickstart.md, "On your own cluster"), then name it: '
            "`make demo CLUSTER=current IMAGES=registry.example/trading`"
        )
    if provider != "current" and images:
        raise CommandError(
            f"IMAGES is for CLUSTER=current; provider {provider} gets the images built here"
        )


def bring_up(cluster: str, images: str = "") -> None:
    """Run the whole demo; `images` is the registry and path of the images for a foreign cluster."""
    started = time.monotonic()
    provider = api.find_provider("node", cluster)
    check_images(provider, images)
    tools, layouts = prepare_cluster(provider)
    if provider == "current":
        check_ours(read_things(tools))
    say("The operator: helm install trading-operator")
    install_operator(tools, layouts, images)
    say(f"The trading system: kubectl apply -k examples/autonomous (namespace {NAMESPACE})")
    apply_system(tools, images)
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
    provider = api.find_provider("node", cluster)
    handle = api.ensure_up("node", provider)
    layouts: list[Path] = []
    if provider != "current":
        say("The images: databases, operator, trading services")
        layouts = build_images()
        api.load_images(layouts, provider)
    return Tools(handle.kubeconfig, handle.bin_dir), layouts


def create_namespace(tools: Tools, name: str) -> None:
    """Create a namespace that admits only pods of the restricted profile."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted", **LABELS},
        },
    }
    tools.run("kubectl", "apply", "-f", "-", stdin=json.dumps(manifest))


def local_images(layouts: list[Path]) -> dict[str, str]:
    """Build the chart's settings that make it take the locally built images.

    The operator's image keeps its tag when its code changes here, so its pod is told its content.
    """
    operator = next(layout for layout in layouts if layout.parent.name == "trading-operator")
    settings = {"podAnnotations.image-content": operator.name}
    return settings | {f"engines.{name}.image": BY_NAME[name].reference for name in ENGINES}


def registry_images(images: str) -> dict[str, str]:
    """Build the chart's settings that make it take the images that a registry has."""
    prefix = images.rstrip("/")
    names = {name: BY_NAME[name].reference.rpartition("/")[2] for name in ENGINES}
    engines = {f"engines.{name}.image": f"{prefix}/{tagged}" for name, tagged in names.items()}
    backup = BY_NAME["trading-backup"].reference.rpartition("/")[2]
    training = BY_NAME["model-training"].reference.rpartition("/")[2]
    sequence = BY_NAME["model-training-torch"].reference.rpartition("/")[2]
    ours = {
        "image.repository": f"{prefix}/trading-operator",
        "backup.image": f"{prefix}/{backup}",
        "training.image": f"{prefix}/{training}",
        "training.sequenceImage": f"{prefix}/{sequence}",
    }
    return ours | engines


def build_flags(settings: dict[str, str]) -> list[str]:
    """Build helm's flags of settings; what the chart makes gets the demo's label."""
    labelled = {"commonLabels." + LABEL.replace(".", r"\."): LABELS[LABEL], **settings}
    return [flag for key, value in labelled.items() for flag in ("--set-string", f"{key}={value}")]


def delete_pending_release(tools: Tools) -> None:
    """Remove a release whose installation was killed: helm refuses to go on with one."""
    pending = ("helm", "list", "-n", OPERATOR_NAMESPACE, "--pending", "--short")
    if RELEASE in tools.run(*pending).split():
        tools.run("helm", "uninstall", RELEASE, "-n", OPERATOR_NAMESPACE)


def install_operator(tools: Tools, layouts: list[Path], images: str = "") -> None:
    """Install or upgrade the operator with its chart and wait until it runs.

    `layouts` are the images that were loaded into the cluster, `images` the registry that has them.
    """
    create_namespace(tools, OPERATOR_NAMESPACE)
    delete_pending_release(tools)
    print(
        tools.run(
            "helm",
            "upgrade",
            "--install",
            RELEASE,
            str(ROOT / "helm" / "trading-operator"),
            "--namespace",
            OPERATOR_NAMESPACE,
            "--wait",
            "--timeout",
            "3m",
            "--labels",
            f"{LABEL}={LABELS[LABEL]}",
            *build_flags(registry_images(images) if images else local_images(layouts)),
            timeout=240,
        )
    )


def build_system(rendered: str, images: str) -> str:
    """Return the example's manifests with its own images taken from a registry, if one is named."""
    if not images:
        return rendered
    return re.sub(rf"(image: ){EXAMPLE_PREFIX}/", rf"\g<1>{images.rstrip('/')}/", rendered)


def apply_system(tools: Tools, images: str = "") -> None:
    """Apply the example."""
    create_namespace(tools, NAMESPACE)
    rendered = tools.run("kubectl", "kustomize", str(ROOT / "examples/autonomous"))
    apply = ("kubectl", "apply", "-n", NAMESPACE, "-f", "-")
    print(tools.run(*apply, stdin=build_system(rendered, images)))


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
    # Once: `auto` means the cluster that the demo was brought up on.
    provider = api.find_provider("node", cluster)
    if provider == "current":
        handle = api.ensure_up("node", provider)
        say("Removing the demo from the current cluster")
        delete_demo(Tools(handle.kubeconfig, handle.bin_dir))
    api.stop("node", provider)
    print("Nothing of the demo is left but the cache of built programs and images.")
