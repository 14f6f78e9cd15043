"""The examples are what they say: the document's SQL, readable settings, a valid spec."""

import pkgutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import trading_services
from cluster.tools import find_tools
from trading_operator.api.backup import BackupSpec
from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.restore import RestoreSpec
from trading_operator.api.trading_system import TradingSystemSpec

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"


def build_example(name: str) -> dict[str, dict[str, Any]]:
    """Render an example with kustomize; returns its objects by kind."""
    command = [str(find_tools() / "kubectl"), "kustomize", str(EXAMPLES / name)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {each["kind"]: each for each in yaml.safe_load_all(rendered)}


def read_spec(name: str) -> TradingSystemSpec:
    """Return the TradingSystem spec of an example."""
    return TradingSystemSpec.model_validate(build_example(name)["TradingSystem"]["spec"])


@pytest.mark.acceptance("A19", "A76")
def test_the_init_script_is_the_services_own_first_schema_file() -> None:
    shipped = ROOT / "trading_services" / "database" / "schema" / "001_document.sql"
    assert (EXAMPLES / "autonomous" / "init.sql").read_text() == shipped.read_text()


@pytest.mark.acceptance("A13", "A78")
def test_staging_differs_from_the_base_only_in_its_environment() -> None:
    base, staging = read_spec("autonomous"), read_spec("autonomous-staging")
    assert base.model_copy(update={"env": ()}) == staging.model_copy(update={"env": ()})
    changed = {v.name for v, w in zip(base.env, staging.env, strict=True) if v.value != w.value}
    assert changed == {"LOG_LEVEL", "REPLAY_SPEED"}


@pytest.mark.acceptance("A50", "A58")
def test_the_gpu_overlay_gives_one_device_to_training_alone() -> None:
    spec = read_spec("autonomous-gpu")
    gpus = {service.name: service.gpu for service in spec.services if service.gpu}
    assert list(gpus) == ["model-training"]
    assert gpus["model-training"].count == 1
    training = next(s for s in spec.services if s.name == "model-training")
    assert {v.name: v.value for v in training.env}["GPU_ENABLED"] == "true"


@pytest.mark.acceptance("X03")
def test_the_strategy_reads_the_models_that_training_writes() -> None:
    spec = read_spec("autonomous")
    mounts = {s.name: [v for v in s.volumes if v.name == "models"] for s in spec.services}
    assert [v.read_only for v in mounts["trading-strategy"]] == [True]
    assert [v.read_only for v in mounts["model-training"]] == [False]


@pytest.mark.acceptance("X29")
def test_no_example_uses_a_floating_tag() -> None:
    for service in read_spec("autonomous").services:
        assert service.image.rpartition(":")[2] not in {"latest", service.image}


@pytest.mark.acceptance("A20", "A21", "A22")
def test_every_source_package_of_the_document_is_there() -> None:
    packages = {module.name for module in pkgutil.iter_modules(trading_services.__path__)}
    assert {
        "backtesting",
        "continuous_learning",
        "data_acquisition",
        "feature_engineering",
        "model_training",
        "system_controller",
        "trading_strategy",
    } <= packages


@pytest.mark.acceptance("A65", "C66")
def test_the_backup_is_of_what_the_example_has_and_the_restore_is_of_it() -> None:
    system = read_spec("autonomous")
    backup = yaml.safe_load((EXAMPLES / "backup" / "backup.yaml").read_text())
    spec = BackupSpec.model_validate(backup["spec"])
    names = {store.name for store in system.datastores} | {each.name for each in system.volumes}
    assert {target.name for target in spec.targets} <= names
    assert spec.retention is not None
    assert spec.retention.days == 30
    restore = yaml.safe_load((EXAMPLES / "backup" / "restore.yaml").read_text())
    wanted = RestoreSpec.model_validate(restore["spec"])
    assert wanted.backup == backup["metadata"]["name"]
    name = build_example("autonomous")["TradingSystem"]["metadata"]["name"]
    assert wanted.confirm == spec.system == name


@pytest.mark.acceptance("A22", "A50")
def test_the_training_examples_fit_the_system_that_they_are_about() -> None:
    system = read_spec("autonomous")
    services = {service.name: service for service in system.services}
    for name in ("daily", "gpu"):
        document = yaml.safe_load((EXAMPLES / "training" / f"{name}.yaml").read_text())
        spec = ModelTrainingJobSpec.model_validate(document["spec"])
        assert spec.system == "autonomous"
        assert spec.dataset.source in {store.name for store in system.datastores}
        assert spec.volume in {volume.name for volume in system.volumes}
        assert spec.promotion is not None
        mounts = {mount.name for mount in services[spec.promotion.service].volumes}
        assert spec.volume in mounts
        assert spec.config in {None, *(config.name for config in system.configs)}
    devices = [device.resource for device in spec.devices]
    assert devices == ["nvidia.com/gpu", "nvidia.com/mig-1g.10gb", None]
