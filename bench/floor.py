"""The floor: a client that posts prepared requests and does nothing else.

Run as `python -m bench.floor KUBECONFIG TEMPLATE SYSTEMS REQUESTS-AT-ONCE`.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson

from bench.control_plane import authority_of
from bench.workload import System, Template, fill, load_template, systems_path

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"


class Prepared(NamedTuple):
    """One request, ready to be sent."""

    method: str
    path: str
    content_type: str
    body: bytes


def prepare(template: Template, systems: list[System]) -> Iterator[Prepared]:
    """Yield the requests of all systems: their children, then the status of each."""
    children = [(child.path, orjson.dumps(child.manifest)) for child in template.children]
    status = orjson.dumps({"status": template.status})
    for system in systems:
        for path, body in children:
            yield Prepared("POST", fill(path.encode(), system).decode(), JSON, fill(body, system))
        place = f"{systems_path(system.namespace, system.name)}/status"
        yield Prepared("PATCH", place, MERGE_PATCH, status)


async def send_all(config: dict[str, Any], requests: Iterator[Prepared], at_once: int) -> None:
    """Send everything, so many at a time. Raises on the first refusal."""
    server = config["clusters"][0]["cluster"]["server"]
    context = ssl.create_default_context(cadata=authority_of(config))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    connector = aiohttp.TCPConnector(limit=at_once, ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(at_once):
            group.create_task(_send_some(session, server, requests))


async def _send_some(
    session: aiohttp.ClientSession, server: str, requests: Iterator[Prepared]
) -> None:
    for request in requests:  # one iterator for all
        async with session.request(
            request.method,
            server + request.path,
            data=request.body,
            headers={"Content-Type": request.content_type},
        ) as answer:
            content = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{request.method} {request.path}: {content!r}")


def main(arguments: list[str]) -> None:
    """Send what the files say."""
    kubeconfig, template, systems, at_once = arguments
    read = load_template(Path(template).read_bytes())
    named = [System(**each) for each in json.loads(Path(systems).read_text(encoding="utf-8"))]
    requests = list(prepare(read, named))
    config = json.loads(Path(kubeconfig).read_text(encoding="utf-8"))
    asyncio.run(send_all(config, iter(requests), int(at_once)))


if __name__ == "__main__":
    main(sys.argv[1:])
