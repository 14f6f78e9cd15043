import io
import subprocess
from pathlib import Path

import pytest

from cluster import api
from cluster.__main__ import main
from cluster.layout import CONTROL_PLANE, NODE, Profile
from cluster.progress import Progress
from cluster.providers import choose_provider


@pytest.mark.parametrize(
    ("requested", "recorded", "docker", "chosen"),
    [
        ("auto", None, True, "kind"),
        ("auto", None, False, "embedded"),
        ("auto", "embedded", True, "embedded"),
        ("auto", "current", False, "current"),
        ("embedded", None, True, "embedded"),
        ("current", None, False, "current"),
    ],
)
def test_a_provider_is_the_asked_one_or_the_running_one_or_what_the_machine_has(
    requested: str, recorded: str | None, docker: bool, chosen: str
) -> None:
    assert choose_provider(requested, NODE, recorded, lambda: docker) == chosen


@pytest.mark.parametrize("profile", [CONTROL_PLANE])
def test_a_control_plane_alone_is_always_embedded(profile: Profile) -> None:
    assert choose_provider("kind", profile, "kind", lambda: True) == "embedded"


def test_a_step_is_one_line_with_its_number_and_time() -> None:
    stream = io.StringIO()
    progress = Progress(2, stream)
    with progress.step("starting etcd"):
        pass
    assert stream.getvalue() == "[1/2] starting etcd ... done in 0.0 s\n"


def test_a_failed_step_says_so_and_passes_the_error_on() -> None:
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError), Progress(1, stream).step("dividing"):
        _ = 1 / 0
    assert stream.getvalue() == "[1/1] dividing ... failed after 0.0 s\n"


def test_an_unknown_profile_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["up", "--profile", "nodes"])
    assert "'control-plane', 'node'" in capsys.readouterr().err


def test_auto_means_the_cluster_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_OPERATOR_STATE", str(tmp_path))
    (tmp_path / "provider").write_text("current", encoding="utf-8")
    assert api.find_provider("node") == "current"
    assert api.find_provider("node", "embedded") == "embedded"


def test_make_says_that_it_has_no_place_for_its_cache() -> None:
    root = Path(__file__).resolve().parents[3]
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["make", "help"], cwd=root, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "neither HOME nor TRADING_OPERATOR_CACHE is set" in done.stderr
