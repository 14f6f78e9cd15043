"""A small synchronous client of the API server for tests."""

import base64
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

T = TypeVar("T")
BUSY_SECONDS = 10.0
# A bound on what never comes; how fast things go is for `bench/` to say.
PATIENCE_SECONDS = 60.0
# The garbage collector looks for new and changed definitions every 30 s, and stands meanwhile.
COLLECTED_SECONDS = 120.0
RELEASED = {"metadata": {"finalizers": None}}
TRADING_SYSTEMS = "apis/tradingoperator.io/v1alpha1/tradingsystems"
BACKUPS = "apis/tradingoperator.io/v1alpha1/backups"
RESTORES = "apis/tradingoperator.io/v1alpha1/restores"
TRAININGS = "apis/tradingoperator.io/v1alpha1/modeltrainingjobs"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
KINDS = {
    "pods": "api/v1/pods",
    "services": "api/v1/services",
    "secrets": "api/v1/secrets",
    "configmaps": "api/v1/configmaps",
    "persistentvolumeclaims": "api/v1/persistentvolumeclaims",
    "serviceaccounts": "api/v1/serviceaccounts",
    "resourcequotas": "api/v1/resourcequotas",
    "cronjobs": "apis/batch/v1/cronjobs",
    "jobs": "apis/batch/v1/jobs",
    "backups": BACKUPS,
    "restores": RESTORES,
    "modeltrainingjobs": TRAININGS,
    "deployments": "apis/apps/v1/deployments",
    "statefulsets": "apis/apps/v1/statefulsets",
    "controllerrevisions": "apis/apps/v1/controllerrevisions",
    "networkpolicies": "apis/networking.k8s.io/v1/networkpolicies",
    "horizontalpodautoscalers": "apis/autoscaling/v2/horizontalpodautoscalers",
    "poddisruptionbudgets": "apis/policy/v1/poddisruptionbudgets",
    "ingresses": "apis/networking.k8s.io/v1/ingresses",
    "events": "apis/events.k8s.io/v1/events",
    "leases": "apis/coordination.k8s.io/v1/leases",
    "roles": "apis/rbac.authorization.k8s.io/v1/roles",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1/rolebindings",
    "tradingsystems": TRADING_SYSTEMS,
}


def eventually(ask: Callable[[], T], seconds: float = PATIENCE_SECONDS, pause: float = 0.1) -> T:
    """Ask until the answer is true and return it; fail with the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s; the last answer was {answer!r}"
        time.sleep(pause)


@contextmanager
def suppress_missing() -> Iterator[None]:
    """Let pass that an object is not there."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 404:
            raise


class KubeClient:
    """Requests with the administrator's credentials."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self.cluster = config["clusters"][0]["cluster"]
        self.server: str = self.cluster["server"]
        context = _build_context(self.cluster, config["users"][0]["user"])
        self._http = httpx.Client(base_url=self.server, verify=context, timeout=30)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        **params: str,
    ) -> Any:
        """Send a request and return the decoded answer; raises for refusals.

        A server that is busy was not asked: another test may just have changed a definition.
        """
        end = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self._http.request(
                method,
                f"/{path}",
                json=body,
                params=params,
                headers={"Content-Type": content_type},
            )
            busy = answer.status_code == 429 and not path.endswith("/eviction")
            if not busy or time.monotonic() > end:
                break
            time.sleep(0.2)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json()

    def table(self, path: str) -> list[dict[str, Any]]:
        """Return a list as kubectl shows it: the cells of each row by their columns' names."""
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        answer = self._http.get(f"/{path}", headers={"Accept": accept}).json()
        names = [column["name"] for column in answer["columnDefinitions"]]
        return [dict(zip(names, row["cells"], strict=True)) for row in answer["rows"]]

    def history(self, path: str, version: str) -> list[Any]:
        """Return what has happened to the objects of a list since a version of it."""
        params = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "1"}
        answer = self._http.get(f"/{path}", params=params)
        return [json.loads(line) for line in answer.text.splitlines()]

    def namespaced(self, namespace: str) -> "Namespace":
        """Return the view of one namespace."""
        return Namespace(self, namespace)

    @contextmanager
    def new_namespace(self, prefix: str) -> Iterator["Namespace"]:
        """Make a namespace that admits only pods of the restricted profile, and delete it.

        It is not waited for until it is empty.
        """
        metadata = {"generateName": f"{prefix}-", "labels": RESTRICTED}
        made = self.request("POST", "api/v1/namespaces", {"metadata": metadata})
        name = made["metadata"]["name"]
        try:
            yield self.namespaced(name)
        finally:
            self.namespaced(name).release_systems()
            with suppress_missing():
                self.request("DELETE", f"api/v1/namespaces/{name}")

    def apply(self, path: str, manifest: dict[str, Any]) -> Any:
        """Apply a manifest on the server's side."""
        return self.request(
            "PATCH",
            f"{path}/{manifest['metadata']['name']}",
            manifest,
            "application/apply-patch+yaml",
            fieldManager="test",
            force="true",
        )


class Namespace:
    """Requests within one namespace."""

    def __init__(self, client: KubeClient, name: str) -> None:
        self.client = client
        self.name = name

    def path(self, kind: str, name: str = "") -> str:
        """Return the path of a list or of an object."""
        root, plural = KINDS[kind].rsplit("/", 1)
        return f"{root}/namespaces/{self.name}/{plural}{f'/{name}' if name else ''}"

    def get(self, kind: str, name: str) -> Any:
        """Return an object, None when it is not there."""
        try:
            return self.client.request("GET", self.path(kind, name))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            return None

    def list(self, kind: str, selector: str = "") -> Any:
        """Return the objects of a kind, by label selector."""
        return self.client.request("GET", self.path(kind), labelSelector=selector)["items"]

    def names(self, kind: str, selector: str = "") -> set[str]:
        """Return the names of the objects of a kind."""
        return {item["metadata"]["name"] for item in self.list(kind, selector)}

    def create(self, kind: str, manifest: dict[str, Any]) -> Any:
        """POST an object."""
        return self.client.request("POST", self.path(kind), manifest)

    def apply(self, kind: str, manifest: dict[str, Any]) -> Any:
        """Apply an object on the server's side."""
        return self.client.apply(self.path(kind), manifest)

    def merge(self, kind: str, name: str, patch: Any) -> Any:
        """Change an object by a merge patch."""
        return self.client.request(
            "PATCH", self.path(kind, name), patch, "application/merge-patch+json"
        )

    def patch(self, kind: str, name: str, patch: Any) -> Any:
        """Change an object by a JSON patch."""
        return self.client.request(
            "PATCH", self.path(kind, name), patch, "application/json-patch+json"
        )

    def delete(self, kind: str, name: str) -> None:
        """Delete an object in the background."""
        self.client.request("DELETE", self.path(kind, name), {"propagationPolicy": "Background"})

    def release_systems(self) -> None:
        """Take all finalizers off the systems: no operator is left that would."""
        for system in self.list("tradingsystems"):
            if system["metadata"].get("finalizers"):
                self.merge("tradingsystems", system["metadata"]["name"], RELEASED)

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return a condition of a trading system, empty when it is not there."""
        return self.condition_of("tradingsystems", name, kind)

    def condition_of(self, plural: str, name: str, kind: str) -> dict[str, Any]:
        """Return a condition of an object, empty when it is not there."""
        conditions = (self.get(plural, name) or {}).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def is_ready(self, name: str) -> bool:
        """Tell whether a trading system is Ready at its present generation."""
        system = self.get("tradingsystems", name)
        ready = self.condition(name, "Ready")
        current = ready.get("observedGeneration") == system["metadata"]["generation"]
        return current and ready.get("status") == "True"


def _build_context(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"),
        cadata=_decode(cluster.get("certificate-authority-data")),
    )
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    else:
        with tempfile.NamedTemporaryFile("w") as pem:
            pem.write(_decode(user["client-certificate-data"]) or "")
            pem.write(_decode(user["client-key-data"]) or "")
            pem.flush()
            context.load_cert_chain(pem.name)
    return context


def _decode(data: str | None) -> str | None:
    return base64.b64decode(data).decode() if data else None
