"""Writes the models that the clients are tried with, beside the demo's.

Usage: models.py REPOSITORY

identity_<type> answers what it is given, rows of any width. pair takes two inputs
and gives two outputs. transpose has no batch dimension. turns takes as long as it
is told to: about a second for 400,000 turns.
"""

import pathlib
import sys

import onnx
from onnx import TensorProto, helper

# Types by the protocol's names.
TYPES = {
    "BOOL": TensorProto.BOOL,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "FP16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def write(repository, name, nodes, inputs, outputs, config=""):
    graph = helper.make_graph(nodes, name, inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    if config:
        (repository / name / "config.yaml").write_text(config)


def main(repository):
    value = helper.make_tensor_value_info
    for name, kind in TYPES.items():
        write(
            repository,
            "identity_" + name.lower(),
            [helper.make_node("Identity", ["x"], ["y"])],
            [value("x", kind, ["batch", "n"])],
            [value("y", kind, ["batch", "n"])],
        )
    pair = [helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]), helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])]
    ports = {n: value(n, TensorProto.INT32, ["batch", 16]) for n in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")}
    write(repository, "pair", pair, [ports["INPUT0"], ports["INPUT1"]], [ports["OUTPUT0"], ports["OUTPUT1"]], "labels: {stable: 1}\n")
    write(
        repository,
        "transpose",
        [helper.make_node("Transpose", ["x"], ["y"])],
        [value("x", TensorProto.FLOAT, [2, 3])],
        [value("y", TensorProto.FLOAT, [3, 2])],
        "max_batch_size: 0\n",
    )
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "turn"], ["sum_out"]), helper.make_node("Identity", ["go"], ["go_out"])],
        "turn",
        [value("turn", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("sum", TensorProto.INT64, [])],
        [value("go_out", TensorProto.BOOL, []), value("sum_out", TensorProto.INT64, [])],
    )
    zero = helper.make_tensor("zero", TensorProto.INT64, [], [0])
    write(
        repository,
        "turns",
        [helper.make_node("Constant", [], ["start"], value=zero), helper.make_node("Loop", ["turns", "", "start"], ["sum"], body=body)],
        [value("turns", TensorProto.INT64, [])],
        [value("sum", TensorProto.INT64, [])],
        "max_batch_size: 0\n",
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
