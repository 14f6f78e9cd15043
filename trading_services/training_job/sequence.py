"""The PyTorch trainer: a small recurrent network over windows of bars, on a GPU where there is one.

The same code runs on the CPU. On one kind of device the same data, settings and seed give the same
bytes; another device rounds otherwise.
"""

import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trading_services.model_training.trainer import Matrix
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.onnx_file import Network, build_onnx
from trading_services.training_job.sheet import Sheet

# Without it cuBLAS may add in another order from run to run.
_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
_SMALLEST_SCALE = 1e-8
_BOUNDS: Mapping[str, tuple[float, float, float]] = {  # default, least, most
    "epochs": (20, 1, 10_000),
    "window": (32, 1, 1024),
    "hidden": (32, 1, 1024),
    "batch_size": (256, 1, 65_536),
    "learning_rate": (0.001, 1e-6, 1.0),
    "weight_decay": (0.0001, 0.0, 1.0),
}


@dataclass(frozen=True)
class Sequence:
    """Settings of one training; a chunk is an epoch."""

    seed: int
    epochs: int
    window: int
    hidden: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    format = "onnx"
    suffix = ".onnx"
    can_use_devices = True

    @property
    def device(self) -> str:
        """What it works on here."""
        return find_device()

    @property
    def chunks(self) -> int:
        """How many epochs make a model."""
        return self.epochs

    def describe(self) -> list[object]:
        """Return what decides the model's bytes."""
        return ["Sequence", *vars(self).values(), find_device()]

    def train_chunk(self, sheet: Sheet, state: bytes, chunk: int) -> bytes:
        """Return the state after one more epoch."""
        torch = _import_torch()
        device = find_device()
        windows = torch.as_tensor(sheet.windows(self.window), dtype=torch.float32)
        labels = torch.as_tensor(sheet.labels, dtype=torch.float32)
        if not state:
            torch.manual_seed(self.seed)
        net = _build_net(windows.shape[2], self.hidden)
        optimizer = torch.optim.Adam(
            net.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        _restore(net, optimizer, state, windows)
        net.to(device)
        _move(optimizer, device)
        order = torch.randperm(
            len(labels), generator=torch.Generator().manual_seed(self.seed + chunk)
        )
        windows, labels = windows.to(device), labels.to(device)
        loss_of = torch.nn.BCEWithLogitsLoss()
        net.train()
        for rows in order.split(self.batch_size):
            rows = rows.to(device)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(net(windows[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        # A last loss that is a number may still leave weights that are not.
        if not all(bool(torch.isfinite(each).all()) for each in net.parameters()):
            raise PermanentError(
                "Diverged",
                "hyperparameters.learning_rate: the weights are no numbers any more; lower it",
            )
        return _save(net, optimizer)

    def score(self, state: bytes, sheet: Sheet) -> Matrix:
        """Return the probability of a rise for each row."""
        torch = _import_torch()
        net = self._load(state, len(sheet.feature_names)).to(find_device())
        windows = torch.as_tensor(sheet.windows(self.window), dtype=torch.float32)
        with torch.no_grad():
            parts = [
                torch.sigmoid(net(part.to(find_device()))).cpu() for part in windows.split(4096)
            ]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    def export(self, state: bytes, feature_names: tuple[str, ...]) -> bytes:
        """Return the ONNX file."""
        net = self._load(state, len(feature_names))
        told = {name: value.numpy() for name, value in net.state_dict().items()}
        network = Network(
            mean=told["mean"],
            scale=told["scale"],
            input_weights=told["gru.weight_ih_l0"],
            state_weights=told["gru.weight_hh_l0"],
            input_bias=told["gru.bias_ih_l0"],
            state_bias=told["gru.bias_hh_l0"],
            head_weights=told["head.weight"],
            head_bias=told["head.bias"],
        )
        return build_onnx(network, self.window, feature_names)

    def _load(self, state: bytes, width: int) -> Any:
        torch = _import_torch()
        net = _build_net(width, self.hidden)
        told = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        net.load_state_dict(told["net"])
        return net.eval()


def find_device() -> str:
    """Return cuda where there is a device, else cpu."""
    return "cuda" if _import_torch().cuda.is_available() else "cpu"


def read_sequence(hyperparameters: Mapping[str, str], seed: int) -> Sequence:
    """Read the settings; raises PermanentError naming the one that makes no sense."""
    unknown = sorted(hyperparameters.keys() - _BOUNDS.keys())
    if unknown:
        raise PermanentError(
            "InvalidHyperparameters",
            f"hyperparameters.{unknown[0]}: Sequence takes {', '.join(_BOUNDS)} alone; remove it",
        )
    values = {name: _read(name, hyperparameters.get(name)) for name in _BOUNDS}
    whole = {name: int(values[name]) for name in ("epochs", "window", "hidden", "batch_size")}
    return Sequence(
        seed=seed,
        learning_rate=values["learning_rate"],
        weight_decay=values["weight_decay"],
        **whole,
    )


def _read(name: str, text: str | None) -> float:
    default, least, most = _BOUNDS[name]
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (isinstance(default, int) and value != int(value)):
        raise PermanentError(
            "InvalidHyperparameters",
            f"hyperparameters.{name}: {text} is not from {least:g} to {most:g}; mend it",
        )
    return value


def _import_torch() -> Any:
    os.environ.setdefault(*_WORKSPACE)
    try:
        import torch
    except ImportError:
        raise PermanentError(
            "NoPyTorch",
            "image: this one has no PyTorch; take model-training-torch, or one of your own",
        ) from None
    torch.use_deterministic_algorithms(True)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(1)  # so that machines of any number of cores add in one order
    return torch


def _build_net(width: int, hidden: int) -> Any:
    torch = _import_torch()

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(width))
            self.register_buffer("scale", torch.ones(width))
            self.gru = torch.nn.GRU(width, hidden, batch_first=True)
            self.head = torch.nn.Linear(hidden, 1)

        def forward(self, windows: Any) -> Any:
            _, last = self.gru((windows - self.mean) / self.scale)
            return self.head(last[0])[:, 0]

    return Net()


def _restore(net: Any, optimizer: Any, state: bytes, windows: Any) -> None:
    """Take over a state; before the first epoch, how the features of the training are scaled."""
    torch = _import_torch()
    if state:
        told = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        net.load_state_dict(told["net"])
        optimizer.load_state_dict(told["optimizer"])
        return
    newest = windows[:, -1, :].double()
    net.mean.copy_(newest.mean(dim=0).float())
    net.scale.copy_(newest.std(dim=0, correction=0).clamp(min=_SMALLEST_SCALE).float())


def _move(optimizer: Any, device: str) -> None:
    torch = _import_torch()
    for told in optimizer.state.values():
        for name, value in told.items():
            if torch.is_tensor(value) and name != "step":
                told[name] = value.to(device)


def _save(net: Any, optimizer: Any) -> bytes:
    torch = _import_torch()
    content = io.BytesIO()
    torch.save({"net": net.cpu().state_dict(), "optimizer": optimizer.state_dict()}, content)
    return content.getvalue()
