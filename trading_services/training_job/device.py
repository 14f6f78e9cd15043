"""The hardware that the Job was given: a trainer that can use it must find it."""

from trading_services.contract.logs import get_logger
from trading_services.model_training.gpu import GpuMissingError, read_gpus
from trading_services.training_job.errors import DeviceMissingError
from trading_services.training_job.job_file import JobFile
from trading_services.training_job.trainers import Trainer

_log = get_logger(__name__)


def check_device(job: JobFile, trainer: Trainer) -> None:
    """Raise DeviceMissingError where a device was asked for and the trainer would do without.

    It would hold the device for nothing, and end with another version than on the device.
    """
    resource = job.device.resource
    if resource is None:
        return
    if not trainer.can_use_devices:
        _log.warning("this trainer works on the CPU: the device is held for nothing", held=resource)
        return
    if trainer.device != "cpu":
        _log.info("device found", device=trainer.device, resource=resource)
        return
    raise DeviceMissingError(
        f"devices[{job.device.name}]: {resource} was given, but the trainer finds no device "
        f"({_find_reason()}); mend the node's driver or device plugin, or take the device out of "
        "the list"
    )


def _find_reason() -> str:
    try:
        gpus = read_gpus()
    except GpuMissingError as error:
        return error.problem
    return f"nvidia-smi sees {', '.join(gpus)}, PyTorch does not"
