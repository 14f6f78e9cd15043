"""Hooks: asked before and after, and let go again whatever happens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from trading_backup.errors import BackupError
from trading_backup.hooks import hooked
from trading_backup.job import Hooks, Job
from trading_backup.programs import Programs
from trading_backup.progress import Progress
from trading_backup.restic import Restic
from trading_backup.secret_files import SecretFiles
from trading_backup.stopping import Stop
from trading_backup.tools import Tools
from unit.backup.samples import NOW, job_of


@contextmanager
def _service(asked: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            if "mumbles" in self.path:
                self.wfile.write(b"220 this is no web server\r\n")
                return
            self.send_response(500 if "broken" in self.path else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def service(asked: list[str]) -> Iterator[str]:
    with _service(asked) as address:
        yield address


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    programs = Programs(Stop(), tmp_path)
    job = Job.model_validate(job_of())
    restic = Restic(programs, "host", {})
    return Tools(job, programs, restic, SecretFiles(), Stop(), Progress(), lambda: NOW)


def _ask_to_stop(tools: Tools) -> None:
    tools.stop.asked = True
    tools.stop.check()


def _hooks(service: str, before: Sequence[Any] = (), after: Sequence[Any] = ()) -> Hooks:
    def build(paths: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {"name": path.split("?")[0], "url": f"{service}/{path}"}
            | ({"onFailure": "Continue"} if "continue" in path else {})
            for path in paths
        ]

    return Hooks.model_validate({"before": build(before), "after": build(after)})


def test_they_are_asked_in_order_around_the_reading(
    tools: Tools, service: str, asked: list[str]
) -> None:
    with hooked(tools, _hooks(service, ["one", "two"], ["three"])):
        asked.append("read")
    assert asked == ["/one", "/two", "read", "/three"]
    assert tools.warnings == []


def test_after_is_asked_also_when_reading_failed_and_the_failure_stays(
    tools: Tools, service: str, asked: list[str]
) -> None:
    with pytest.raises(ZeroDivisionError), hooked(tools, _hooks(service, ["a"], ["broken", "c"])):
        raise ZeroDivisionError
    assert asked == ["/a", "/broken", "/c"]
    assert tools.warnings == ["hook broken: it answered 500"]


def test_a_hook_that_fails_before_ends_the_run_and_after_is_asked(
    tools: Tools, service: str, asked: list[str]
) -> None:
    with (
        pytest.raises(BackupError, match="hook broken: it answered 500") as caught,
        hooked(tools, _hooks(service, ["broken", "never"], ["after"])),
    ):
        asked.append("read")
    assert asked == ["/broken", "/after"]
    assert (caught.value.reason, caught.value.exit_code) == ("HookFailed", 1)


def test_a_hook_that_fails_after_fails_the_run_once_all_were_asked(
    tools: Tools, service: str, asked: list[str]
) -> None:
    with (
        pytest.raises(BackupError, match="hook broken"),
        hooked(tools, _hooks(service, [], ["broken", "last"])),
    ):
        pass
    assert asked == ["/broken", "/last"]


def test_one_that_may_fail_is_only_a_warning(tools: Tools, service: str, asked: list[str]) -> None:
    with hooked(tools, _hooks(service, ["broken?continue"], ["broken?continue"])):
        asked.append("read")
    assert asked == ["/broken?continue", "read", "/broken?continue"]
    assert tools.warnings == ["hook broken: it answered 500"]


def test_a_service_that_is_not_there_is_told(tools: Tools) -> None:
    hooks = _hooks("http://127.0.0.1:9", ["gone"])
    with pytest.raises(BackupError, match=r"hook gone: .*refused"), hooked(tools, hooks):
        pass


@pytest.mark.parametrize("failing", [False, True])
def test_what_speaks_no_http_is_told_and_those_after_it_are_asked(
    tools: Tools, service: str, asked: list[str], failing: bool
) -> None:
    expected = ZeroDivisionError if failing else BackupError
    with pytest.raises(expected), hooked(tools, _hooks(service, [], ["mumbles", "last"])):
        assert not failing or 1 / 0
    assert asked == ["/mumbles", "/last"]
    assert tools.warnings == ["hook mumbles: 220 this is no web server"]


def test_after_is_asked_when_the_pod_was_told_to_stop(
    tools: Tools, service: str, asked: list[str]
) -> None:
    with pytest.raises(BackupError), hooked(tools, _hooks(service, [], ["after"])):
        _ask_to_stop(tools)
    assert asked == ["/after"]
