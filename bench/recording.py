"""Takes down what the operator sends for one system: a proxy between it and the API server."""

from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import orjson
from aiohttp import web

from bench.errors import BenchError
from bench.workload import Child, System, Template, empty

_PASSED_ON = ("Authorization", "Content-Type", "Accept")


@dataclass
class Recorder:
    """Passes requests on and keeps those that make children or report the status."""

    server: str
    session: aiohttp.ClientSession
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    statuses: list[bytes] = field(default_factory=list)

    async def serve(self) -> tuple[web.AppRunner, str]:
        """Listen on a free port of the loopback; returns the server and its address."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return runner, f"http://{host}:{port}"

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self.session.request(
            request.method, self.server + request.raw_path, data=body or None, headers=headers
        ) as answer:
            if answer.status < 300:
                self._keep(request, body)
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.content_type}
            )
            with suppress(ConnectionError):  # the operator ended a watch
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

    def _keep(self, request: web.Request, body: bytes) -> None:
        if request.method == "PATCH" and request.path.endswith("/status"):
            self.statuses.append(body)
        elif request.method == "POST" and not request.path.endswith(("/leases", "/events")):
            self.posts.append((request.path, body))

    def build_template(self, system: System) -> Template:
        """Build the template from what was sent for a system."""
        if not self.posts or not self.statuses:
            raise BenchError("the operator sent nothing for one system: see its log")
        children = tuple(
            Child(empty(path.encode(), system).decode(), orjson.loads(empty(body, system)))
            for path, body in self.posts
        )
        status = orjson.loads(empty(self.statuses[-1], system))["status"]
        return Template(children, status)
