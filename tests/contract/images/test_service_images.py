"""What is in the images of the services and of the operator."""

import pytest

from contract.images.image_process import run_once

SERVICES = (
    "system-controller",
    "data-acquisition",
    "feature-engineering",
    "model-training",
    "trading-strategy",
)


def _run_shell(image: str, script: str) -> list[str]:
    return run_once(image, "sh", "-c", script).split("\n")[:-1]


@pytest.mark.acceptance("A24", "A25", "A27")
def test_base_has_the_tools_settings_and_user_that_were_asked_for() -> None:
    environment = run_once("base", "env").splitlines()
    for setting in ("PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "TZ=UTC"):
        assert setting in environment
    assert "DEBIAN_FRONTEND=noninteractive" in environment
    found = _run_shell(
        "base", "id -u; id -g; id -un; pwd; curl --version | head -1; psql --version"
    )
    assert found[:4] == ["1000", "1000", "appuser", "/app"]
    assert found[4].startswith("curl ")
    assert found[5].startswith("psql (PostgreSQL) 17")
    assert (
        _run_shell("base", "TZ=Europe/Berlin date -d @0 +%H:%M; ls /etc/ssl/certs | wc -l")[0]
        == "01:00"
    )


@pytest.mark.acceptance("A02", "A18")
@pytest.mark.parametrize("service", SERVICES)
def test_each_service_starts_by_its_own_command_and_cannot_change_its_image(service: str) -> None:
    output = run_once(service, "trading-services", service, "--check")
    assert "configuration accepted" in output
    refused = "touch /app/x /usr/x 2>/dev/null && echo WRITABLE; which gcc pip; true"
    assert _run_shell(service, refused) == []


def test_operator_image_holds_the_operator_and_not_the_services() -> None:
    script = (
        "import os, importlib.util as u, trading_operator.main\n"
        "print(os.getuid(), os.getgid(), u.find_spec('trading_services'), u.find_spec('psycopg2'))"
    )
    output = run_once("trading-operator", "python3", "-c", script)
    assert output.split() == ["10001", "10001", "None", "None"]
    refused = "touch /app/x 2>/dev/null && echo WRITABLE; which gcc pip curl; true"
    assert _run_shell("trading-operator", refused) == []
