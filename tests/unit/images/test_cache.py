"""Nothing half-made is ever taken for an image."""

import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from images.build import discard_older
from images.cache import Cache, read_cache


def _make_and_die(root: Path) -> None:
    with Cache(root).publish(Cache(root).layout("base", "key")) as unfinished:
        unfinished.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_build_leaves_nothing_under_the_key_and_is_swept(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_make_and_die, args=(tmp_path,))
    process.start()
    process.join()
    cache = Cache(tmp_path)
    assert process.exitcode == -signal.SIGKILL
    assert not cache.layout("base", "key").exists()
    assert any(cache.unfinished.iterdir())
    cache.discard_unfinished()
    assert not cache.unfinished.exists()


def test_failed_build_leaves_nothing_at_all(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    target = cache.layout("base", "key")
    with pytest.raises(RuntimeError), cache.publish(target) as unfinished:  # noqa: PT012
        unfinished.mkdir()
        raise RuntimeError
    assert not target.exists()
    assert not any(cache.unfinished.iterdir())


def test_finished_build_appears_in_one_step(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    target = cache.layout("base", "key")
    with cache.publish(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "index.json").write_text("{}")
        assert not target.exists()
    assert (target / "index.json").exists()


def test_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_OPERATOR_CACHE", str(tmp_path))
    assert read_cache().root == tmp_path / "images"
    monkeypatch.delenv("TRADING_OPERATOR_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_cache().root == tmp_path / ".cache/trading-operator/images"


def test_files_of_an_older_build_go_unless_they_are_in_use(tmp_path: Path) -> None:
    target, unused, used, other = (
        tmp_path / name for name in ("redis-3333", "redis-1111", "redis-2222", "redis-cli-1111")
    )
    for path in (target, unused, used, other):
        path.mkdir()
    folder = os.open(used, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_SH)
    discard_older(target, "redis")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "redis-2222",
        "redis-3333",
        "redis-cli-1111",
    ]
    os.close(folder)
    discard_older(target, "redis")
    assert not used.exists()
