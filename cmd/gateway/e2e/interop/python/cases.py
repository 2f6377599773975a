"""Lists the backend tests of the ONNX project and what ONNX Runtime makes of them.

Usage: cases.py FOLDER

Writes FOLDER/cases.json: each test with its files, the types of its inputs and
outputs, and whether ONNX Runtime on the CPU, asked directly, gives the expected
answer. Where its answer differs, it is left in FOLDER as TensorProto files, so
that a server can still be held against the runtime that it uses.
"""

import contextlib
import ctypes
import json
import pathlib
import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator"]
DATA = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
RTOL, ATOL = 1e-3, 1e-7  # of onnx's own runner, where a test does not say

REPEATS = 5  # runs that show whether an answer is random

# The types that the Open Inference Protocol can carry.
CARRIED = {"BOOL", "STRING", "FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE"} | {f"{u}INT{n}" for u in ("", "U") for n in (8, 16, 32, 64)}


def folders():
    """Gives each test's folder, by kind and name."""
    return [p.parent for kind in KINDS for p in sorted((DATA / kind).glob("*/model.onnx"))]


def describe(folder):
    """Reads what a test consists of."""
    graph = onnx.load(folder / "model.onnx").graph
    fixed = {i.name for i in graph.initializer}
    case = {
        "name": f"{folder.parent.name}/{folder.name}",
        "model": str(folder / "model.onnx"),
        "sets": [str(p) for p in sorted(folder.glob("test_data_set_*"))],
        "inputs": [port(v) for v in graph.input if v.name not in fixed],
        "outputs": [port(v) for v in graph.output],
        "rtol": RTOL,
        "atol": ATOL,
    }
    with contextlib.suppress(FileNotFoundError):
        stated = json.loads((folder / "data.json").read_text())
        case.update({k: stated[k] for k in ("rtol", "atol") if k in stated})
    return case


def port(value):
    kind = value.type.WhichOneof("value")
    if kind == "tensor_type":
        return {"name": value.name, "type": TensorProto.DataType.Name(value.type.tensor_type.elem_type)}
    return {"name": value.name, "type": kind.removesuffix("_type").upper()}


def tensors(folder, prefix):
    """Reads a data set's tensors in their order."""
    files = sorted(pathlib.Path(folder).glob(prefix + "_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    return [TensorProto.FromString(p.read_bytes()) for p in files]


def refer(case, out):
    """Asks ONNX Runtime: gives (verdict, detail)."""
    if foreign := {p["type"] for p in case["inputs"] + case["outputs"]} - CARRIED:
        return "not carried", ", ".join(sorted(foreign))
    try:
        session = onnxruntime.InferenceSession(case["model"], providers=["CPUExecutionProvider"])
        answers = [run(session, case, tensors(s, "input")) for s in case["sets"]]
        again = [[run(session, case, tensors(s, "input")) for s in case["sets"]] for _ in range(REPEATS)]
    except Exception as e:  # whatever it cannot do
        return "unsupported", short(str(e))
    expected = [[numpy_helper.to_array(t) for t in tensors(s, "output")] for s in case["sets"]]
    why = first_difference(answers, expected, case)
    if not why:
        return "passes", ""
    if any(first_difference(answers, others, case) for others in again):
        return "random", why
    for s, answer in zip(case["sets"], answers):
        folder = out / case["name"] / pathlib.Path(s).name
        folder.mkdir(parents=True, exist_ok=True)
        for i, array in enumerate(answer):
            (folder / f"output_{i}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
    return "differs", why


def run(session, case, inputs):
    """Runs the model: with numpy's arrays, or with the runtime's own values where numpy lacks a type."""
    fed = list(zip(case["inputs"], inputs))
    if not any(p["type"] == "BFLOAT16" for p in case["inputs"] + case["outputs"]):
        return session.run(None, {p["name"]: plain(numpy_helper.to_array(t)) for p, t in fed})
    value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
    feeds = {p["name"]: value(numpy_helper.to_array(t), t.data_type) for p, t in fed}
    return [to_array(v) for v in session.run_with_ort_values(None, feeds)]


def plain(array):
    return array.astype(object) if array.dtype.kind in "SU" else array


def to_array(value):
    if value.element_type() != TensorProto.BFLOAT16:
        return value.numpy()
    size = value.tensor_size_in_bytes()
    return np.frombuffer(ctypes.string_at(value.data_ptr(), size), ml_dtypes.bfloat16).reshape(value.shape())


def first_difference(got, want, case):
    """Names the first output that differs; "" where none does."""
    for answers, expected in zip(got, want):
        for p, a, e in zip(case["outputs"], answers, expected, strict=True):
            if a.shape != e.shape:
                return f"output {p['name']} has shape {list(a.shape)}, expected {list(e.shape)}"
            if not same(a, e, case):
                return f"output {p['name']} has other values"
    return ""


def same(a, e, case):
    if a.dtype == object or a.dtype.kind in "biu":
        return np.array_equal(a, e)
    if a.dtype != e.dtype:
        return False
    return np.allclose(a.astype(np.float64), e.astype(np.float64), rtol=tolerance(a, case), atol=case["atol"], equal_nan=True)


def tolerance(a, case):
    return max(case["rtol"], 2**-6) if a.dtype == ml_dtypes.bfloat16 else case["rtol"]  # two units in the last place


# What ONNX Runtime says at length, and in short.
REASONS = [
    (r"Could not find an implementation for (\S+) node", r"no implementation of \1"),
    (r"Failed to find kernel for (\S+) ", r"no implementation of \1 for these types"),
    (r"Fatal error: (\S+)\(-?\d+\) is not a registered function/op", r"no operator \1"),
    (r"Failed to construct locale with name:(\S+?):", r"the locale \1 is not on this machine"),
    (r"Batchwise recurrent operations", "no batchwise layout of recurrent operators"),
    (r"Non-zero status code returned while running (\S+) node", r"\1 fails when run"),
]


def short(message):
    """Says without names of files and functions what ONNX Runtime lacks."""
    for pattern, text in REASONS:
        if found := re.search(pattern, message):
            return found.expand(text)
    return re.sub(r"\s+", " ", message).strip()[:160]


def child(out, start):
    """Prints a line for each test. A test that ends the process is the parent's to see."""
    onnxruntime.set_default_logger_severity(4)
    for folder in folders()[start:]:
        case = describe(folder)
        verdict, detail = refer(case, out)
        print(json.dumps({**case, "reference": verdict, "detail": detail}), flush=True)


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    found, cases = folders(), []
    while len(cases) < len(found):
        ran = subprocess.run([sys.executable, __file__, str(out), str(len(cases))], stdout=subprocess.PIPE, text=True)
        cases += [json.loads(line) for line in ran.stdout.splitlines() if line.endswith("}")]
        if len(cases) < len(found):
            cases.append({**describe(found[len(cases)]), "reference": "unsupported", "detail": "the process of ONNX Runtime ended"})
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    (out / "cases.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=1))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        child(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main(pathlib.Path(sys.argv[1]))
