"""The manifest: written and read, and what it says about the set before."""

from datetime import timedelta

from trading_backup.manifest import Manifest, dump_manifest, find_shrunk
from unit.backup.samples import NOW, manifest_of, record_of


def test_a_manifest_is_read_as_it_was_written() -> None:
    facts = {"public.orders": {"rows": 3, "newest": "2026-11-30 02:59:00+00"}}
    manifest = manifest_of(record_of("db", facts=facts, versions={"server": "17.11"}))
    assert Manifest.model_validate_json(dump_manifest(manifest)) == manifest


def test_a_later_release_may_add_fields() -> None:
    content = dump_manifest(manifest_of(record_of("db"))).decode()
    later = content.replace('"name"', '"colour": "red", "name"', 1)
    assert Manifest.model_validate_json(later).target("db") is not None


def test_a_set_is_as_old_as_the_target_that_was_read_first() -> None:
    early = NOW - timedelta(minutes=3)
    manifest = manifest_of(record_of("db"), record_of("redis", as_of=early))
    assert manifest.data_as_of == early


def test_a_target_that_lost_more_than_half_of_its_bytes_is_told() -> None:
    before = manifest_of(record_of("db", 1000), record_of("redis", 1000))
    after = manifest_of(record_of("db", 499), record_of("redis", 500))
    [warning] = find_shrunk(after, before)
    assert warning.startswith("db: 499 bytes, less than half of the 1000")


def test_an_increment_is_smaller_without_a_warning() -> None:
    before = manifest_of(record_of("db", 1000))
    assert find_shrunk(manifest_of(record_of("db", 1, base="20261129T030000Z")), before) == []
    assert find_shrunk(manifest_of(record_of("new", 1)), before) == []
    assert find_shrunk(manifest_of(record_of("db", 1)), None) == []
