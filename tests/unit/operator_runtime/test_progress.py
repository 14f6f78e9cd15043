"""How far a Job is: asked without credentials, and heard only if it is short and in time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from trading_operator.kube.progress import ProgressReader

SAID = {"phase": "Restoring", "target": "db", "done": 0, "total": 1, "remainingSeconds": 4}


@asynccontextmanager
async def asked(answer: Any) -> AsyncIterator[tuple[ProgressReader, list[web.BaseRequest]]]:
    """Serve one answer, and yield who asks for it and what was asked."""
    requests: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(request)
        response: web.StreamResponse = answer()
        return response

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader = ProgressReader(port=runner.addresses[0][1])
    yield reader, requests
    await reader.close()
    await runner.cleanup()


async def test_it_reads_what_the_program_says_and_shows_no_credentials() -> None:
    async with asked(lambda: web.json_response(SAID)) as (reader, requests):
        found = await reader.read("127.0.0.1")
    assert found is not None
    assert (str(found), found.remaining_seconds) == ("Restoring db, 1 of 1", 4)
    assert requests[0].path == "/progress"
    assert "Authorization" not in requests[0].headers


async def test_what_is_long_fails_or_leads_elsewhere_is_nothing() -> None:
    answers = (
        lambda: web.json_response(SAID | {"more": "x" * 5000}),
        lambda: web.json_response(SAID, status=500),
        lambda: web.Response(status=302, headers={"Location": "/progress"}),
        lambda: web.Response(text="no json"),
    )
    for answer in answers:
        async with asked(answer) as (reader, requests):
            assert await reader.read("127.0.0.1") is None
        assert len(requests) == 1


async def test_a_pod_that_is_not_there_holds_nobody_up() -> None:
    reader = ProgressReader(port=1)
    assert await reader.read("127.0.0.1") is None
    assert await reader.read("no address") is None
    assert await reader.read("") is None
    await reader.close()
