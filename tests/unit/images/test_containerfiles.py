"""Promises that every Containerfile keeps, read from the files themselves."""

import re
from pathlib import Path

import pytest

from images.catalogue import BY_NAME, DEBIAN, IMAGES, REPOSITORY, VERSION, Image, select_images
from images.lock import ON_REQUEST

NAMES = [image.name for image in IMAGES]
REQUIREMENTS = REPOSITORY / "requirements"
SERVICES = [image.name for image in IMAGES if image.base == "base"]


def _read_packages(path: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", path.read_text(), re.MULTILINE))


def _read_lines(image: Image) -> list[str]:
    text = image.containerfile.read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.acceptance("A27", "X05")
@pytest.mark.parametrize("image", IMAGES, ids=NAMES)
def test_last_word_is_an_unprivileged_user_given_by_number(image: Image) -> None:
    lines = _read_lines(image)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    last = max(number for number, line in enumerate(lines) if line.startswith("USER "))
    assert not [line for line in lines[last:] if line.startswith(("RUN ", "COPY ", "ADD "))]


@pytest.mark.acceptance("A23")
@pytest.mark.parametrize("image", IMAGES, ids=NAMES)
def test_base_is_chosen_by_an_argument_and_pinned_by_default(image: Image) -> None:
    argument, stage, *_ = _read_lines(image)
    assert stage == "FROM ${BASE}"
    default = argument.removeprefix("ARG BASE=")
    expected = "debian:trixie-slim" if image.base == DEBIAN else BY_NAME[image.base].reference
    assert default == expected


@pytest.mark.parametrize("image", IMAGES, ids=NAMES)
def test_no_secret_no_latest_and_no_leftovers_of_the_package_manager(image: Image) -> None:
    for line in _read_lines(image):
        assert ":latest" not in line
        assert not (line.startswith("ENV ") and re.search(r"PASSWORD|SECRET|TOKEN|_KEY", line))
        assert not line.startswith("HEALTHCHECK")
        if "apt-get install" in line:
            assert "--no-install-recommends" in line
            assert "rm -rf /var/lib/apt/lists/*" in line


@pytest.mark.acceptance("A01", "A02", "A03", "A04", "A05", "A18", "A34")
@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_its_own_image_and_start_command_on_the_shared_base(name: str) -> None:
    image = BY_NAME[name]
    assert image.reference == f"docker.io/autonomous_trading_system/{name}:{VERSION}"
    lines = _read_lines(image)
    assert lines[-1] == f'CMD ["trading-services", "{name}"]'
    packages = next(number for number, line in enumerate(lines) if "install-packages" in line)
    source = lines.index("COPY trading_services /app/trading_services")
    assert packages < source, "a changed source file must not install the packages again"


def test_there_are_five_services() -> None:
    assert len(SERVICES) == 5


@pytest.mark.acceptance("A32")
def test_model_training_sets_what_tensorflow_reads() -> None:
    text = BY_NAME["model-training"].containerfile.read_text()
    assert 'TF_TRT_ENABLE=1 TF_XLA_FLAGS="--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"' in text


@pytest.mark.acceptance("X05", "A31")
def test_only_training_carries_training_packages_and_none_a_dead_or_shadowing_one() -> None:
    locked = {path.stem: _read_packages(path) for path in REQUIREMENTS.glob("*.txt")}
    shipped = {name: packages for name, packages in locked.items() if name != "test"}
    assert {name for name, packages in shipped.items() if "lightgbm" in packages} == {
        "model-training"
    }
    assert {name for name, packages in shipped.items() if "torch" in packages} == {ON_REQUEST}
    everything = set().union(*shipped.values())
    assert not everything & {"asyncio", "alpaca-trade-api", "tensorflow-tensorrt"}


@pytest.mark.acceptance("A31")
def test_who_does_not_ask_for_pytorch_does_not_build_it() -> None:
    assert "model-training-torch" not in {image.name for image in select_images([])}
    asked = [image.name for image in select_images(["model-training-torch"])]
    assert asked == ["base", "model-training", "model-training-torch"]


@pytest.mark.acceptance("A26", "A28")
def test_the_base_brings_the_database_driver_metrics_and_yaml() -> None:
    packages = _read_packages(REQUIREMENTS / "services.txt")
    assert {"psycopg2-binary", "prometheus-client", "pyyaml", "tzdata"} <= packages


def test_images_of_python_programs_share_their_python_layer() -> None:
    names = ("base", "trading-operator", "trading-backup")
    first, *others = [_read_lines(BY_NAME[name])[:5] for name in names]
    assert all(steps == first for steps in others)


@pytest.mark.acceptance("A36", "A38")
def test_database_images_offer_the_usual_port_and_folder() -> None:
    lines = _read_lines(BY_NAME["postgresql"])
    assert "EXPOSE 5432" in lines
    assert "VOLUME /var/lib/postgresql/data" in lines


def test_selection_brings_the_bases_first_and_refuses_strangers() -> None:
    assert [image.name for image in select_images(["timescaledb"])] == ["postgresql", "timescaledb"]
    assert select_images([]) == [image for image in IMAGES if not image.on_request]
    with pytest.raises(ValueError, match="no image is called 'questdb': choose from"):
        select_images(["questdb"])


def test_every_containerfile_is_listed() -> None:
    found = {path.parent.name for path in (REPOSITORY / "images").glob("*/Containerfile")}
    assert found == set(NAMES)
