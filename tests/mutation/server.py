"""What the mutation test asks of the API server, and reads in its audit log."""

import asyncio
import base64
import io
import json
import ssl
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

from integration.audit import WRITES

Object = dict[str, Any]
SYSTEMS = "apis/tradingoperator.io/v1alpha1", "tradingsystems"
_OK = 300
_AT_ONCE = 16
_PASSING = frozenset({429, 503, 504})
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """The status code and the body of an answer."""

    code: int
    body: Object

    @property
    def refused(self) -> bool:
        """Tell whether the request was not done."""
        return self.code >= _OK


class Server:
    """Requests with the administrator's rights, many at a time."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._url = config["clusters"][0]["cluster"]["server"]
        connector = aiohttp.TCPConnector(ssl=_context(config), limit=0)
        self._session = aiohttp.ClientSession(connector=connector)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        **params: str,
    ) -> Answer:
        """Send a request and return the answer, also when it is a refusal.

        What passes by itself (no connection, 429, 503) is tried again for a while.
        """
        # Not by orjson: it knows no integers beyond 64 bits, and some cases have them.
        data = json.dumps(body).encode() if body is not None else None
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with suppress(aiohttp.ClientConnectionError):
                answer = await self._send_once(method, path, data, params, kind)
                if answer.code not in _PASSING or time.monotonic() > end:
                    return answer
            if time.monotonic() > end:
                raise ConnectionError(f"the API server does not answer {method} {path}")
            await asyncio.sleep(0.5)

    async def _send_once(
        self, method: str, path: str, data: bytes | None, params: dict[str, str], kind: str
    ) -> Answer:
        url, headers = f"{self._url}/{path}", {"Content-Type": kind}
        # As a stream: aiohttp warns of more than a mebibyte of bytes, and some cases have that.
        body = None if data is None else io.BytesIO(data)
        async with (
            self._turns,
            self._session.request(method, url, data=body, params=params, headers=headers) as answer,
        ):
            return Answer(answer.status, _decode(await answer.read()))

    async def set_spec(self, namespace: str, name: str, spec: Object, dry: bool = False) -> Answer:
        """Replace a system's spec; fields that the schema does not know are refused."""
        patch = [{"op": "replace", "path": "/spec", "value": spec}]
        return await self._write("PATCH", namespace, f"/{name}", patch, dry)

    async def create(self, namespace: str, name: str, spec: Object, dry: bool = False) -> Answer:
        """Create a system."""
        system = {
            "apiVersion": "tradingoperator.io/v1alpha1",
            "kind": "TradingSystem",
            "metadata": {"name": name},
            "spec": spec,
        }
        return await self._write("POST", namespace, "", system, dry)

    async def _write(
        self, method: str, namespace: str, name: str, body: object, dry: bool
    ) -> Answer:
        patch = method == "PATCH"
        return await self.send(
            method,
            f"{path_of(*SYSTEMS, namespace)}{name}",
            body,
            "application/json-patch+json" if patch else "application/json",
            fieldValidation="Strict",
            **({"dryRun": "All"} if dry else {}),
        )

    async def delete(self, path: str) -> Answer:
        """Delete an object in the background."""
        return await self.send("DELETE", path, {"propagationPolicy": "Background"})

    async def watch(self, path: str, version: str) -> Any:
        """Yield the events of a list until the connection ends."""
        params = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None)
        url = f"{self._url}/{path}"
        async with self._session.get(
            url, params=params, timeout=timeout, read_bufsize=2**22
        ) as stream:
            async for line in stream.content:
                yield orjson.loads(line)


def _decode(body: bytes) -> Object:
    """Return a decoded body; not all refusals are JSON."""
    try:
        decoded: Object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {"message": body.decode(errors="replace")}
    return decoded


def path_of(root: str, plural: str, namespace: str, name: str = "") -> str:
    """Return the path of a list or of an object."""
    return f"{root}/namespaces/{namespace}/{plural}{f'/{name}' if name else ''}"


def _context(config: Object) -> ssl.SSLContext:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]

    def read(of: Object, key: str) -> str:
        if key in of:
            return Path(of[key]).read_text()
        return base64.b64decode(of[f"{key}-data"]).decode()

    context = ssl.create_default_context(cadata=read(cluster, "certificate-authority"))
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(read(user, "client-certificate") + read(user, "client-key"))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


@dataclass
class Writes:
    """The operator's writes by system, as the audit log has them."""

    log: Path
    user: str
    namespaces: frozenset[str]
    offset: int = 0
    last: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    known: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.offset = self.log.stat().st_size

    def read(self) -> None:
        """Take in what was written since the last time."""
        with self.log.open("rb") as file:
            file.seek(self.offset)
            block = file.read()
        end = block.rfind(b"\n") + 1
        self.offset += end
        user = self.user.encode()
        for line in block[:end].splitlines():
            if user in line:
                self._take(orjson.loads(line))

    def _take(self, event: Object) -> None:
        target = event.get("objectRef", {})
        ours = (
            event["user"].get("username") == self.user
            and event["verb"] in WRITES
            and event["stage"] == "ResponseComplete"
            and target.get("resource") != "leases"
            and target.get("namespace") in self.namespaces
        )
        if not ours:
            return
        name = target.get("name", "")
        system = f"{target['namespace']}/{name.removeprefix('data-').partition('-')[0]}"
        system = system.partition(".")[0]
        code = event.get("responseStatus", {}).get("code")
        sub = f"/{target['subresource']}" if "subresource" in target else ""
        self.last[system] = time.monotonic()
        self.known[system].append(f"{event['verb']} {target['resource']}/{name}{sub} {code}")

    def quiet_for(self, system: str) -> float:
        """Return for how many seconds nothing was written for a system."""
        return time.monotonic() - self.last[system]

    def count(self, systems: Iterable[str] | None = None) -> int:
        """Return how many writes there were, for some systems or for all."""
        chosen = self.known.keys() if systems is None else systems
        return sum(len(self.known[system]) for system in chosen)
