"""Objects that are alike take little memory, and come back as they were."""

import orjson
import pytest

from trading_operator.kube.packing import Packer
from unit.operator_runtime.objects import build_config_map

DATA = {f"key-{number}": f"a value of some length: {number}" for number in range(20)}


def test_what_is_packed_comes_back_whatever_was_packed_before() -> None:
    packer = Packer()
    values = [build_config_map("a", 1), {}, build_config_map("b", 2) | {"data": DATA}, {"ö": "ß"}]
    packed = [packer.pack("ConfigMap", value) for value in values]
    assert [each.unpack() for each in packed] == values


@pytest.mark.parametrize(("kind", "share"), [("ConfigMap", 0.2), ("Secret", 0.6)])
def test_an_object_like_the_first_of_its_kind_takes_a_fraction_of_its_text(
    kind: str, share: float
) -> None:
    packer = Packer()
    first, second = (build_config_map(name, 1) | {"data": DATA} for name in ("a", "b"))
    packer.pack("ConfigMap", first)
    assert len(packer.pack(kind, second).content) < share * len(orjson.dumps(second))
