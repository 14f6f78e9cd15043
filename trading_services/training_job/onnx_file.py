"""A recurrent network as an ONNX file: built node by node, so that the same weights are the same
bytes whatever wrote them.

Input `features` is float32 [n, window, k], output `score` [n, 1]. The metadata name the window and
the features.
"""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]
OPSET, IR_VERSION = 17, 8
WINDOW, FEATURES = "window", "feature_names"


@dataclass(frozen=True)
class Network:
    """A GRU of h units over windows of k features, as PyTorch orders its gates (r, z, n), and a
    layer of one unit on its last state.
    """

    mean: Weights  # k
    scale: Weights  # k
    input_weights: Weights  # 3h x k
    state_weights: Weights  # 3h x h
    input_bias: Weights  # 3h
    state_bias: Weights  # 3h
    head_weights: Weights  # 1 x h
    head_bias: Weights  # 1

    @property
    def hidden(self) -> int:
        """How many units it has."""
        return int(self.state_weights.shape[1])


def build_onnx(network: Network, window: int, feature_names: tuple[str, ...]) -> bytes:
    """Return the file."""
    from onnx import TensorProto, helper, numpy_helper  # only where models are written

    tensors = {
        "mean": network.mean,
        "scale": network.scale,
        "W": _gates(network.input_weights)[None],
        "R": _gates(network.state_weights)[None],
        "B": np.concatenate([_gates(network.input_bias), _gates(network.state_bias)])[None],
        "head_W": network.head_weights.T,
        "head_B": network.head_bias,
        "axes": np.array([0], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["steps"], perm=[1, 0, 2]),
        helper.make_node(
            "GRU",
            ["steps", "W", "R", "B"],
            ["", "last"],
            hidden_size=network.hidden,
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["last", "axes"], ["state"]),
        helper.make_node("MatMul", ["state", "head_W"], ["product"]),
        helper.make_node("Add", ["product", "head_B"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["score"]),
    ]
    shape: list[str | int | None] = ["n", window, len(feature_names)]
    graph = helper.make_graph(
        nodes,
        "sequence",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(np.ascontiguousarray(value), name)
            for name, value in tensors.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "trading-services", ""
    told = {WINDOW: str(window), FEATURES: json.dumps(list(feature_names))}
    for key, value in sorted(told.items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _gates(weights: Weights) -> Weights:
    """Return weights of the gates r, z, n in ONNX's order z, r, n."""
    reset, update, new = np.split(weights, 3)
    return np.concatenate([update, reset, new])
