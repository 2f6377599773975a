"""Turn a fitted scikit-learn estimator into a version folder of the model repository.

A version folder gets two files: model.onnx, and golden.json, whose expected
outputs are scikit-learn's own and never ONNX Runtime's. Before anything is
written, ONNX Runtime's answers are compared with scikit-learn's on every row
given, so that a model that does not survive the export is never committed.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import sklearn
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn

# The largest difference allowed between scikit-learn and the exported model,
# and the tolerance that golden.json asks the gateway to check at load.
TOLERANCE = 1e-5
GOLDEN_CASES = 24
OPSET = {"": 17, "ai.onnx.ml": 3}


def to_onnx(estimator, inputs, name, description):
    """Export a classifier with plain tensors out: `label` and `probabilities`."""
    model = convert_sklearn(
        estimator,
        name=name,
        initial_types=inputs,
        target_opset=OPSET,
        options={id(estimator): {"zipmap": False}},
        doc_string=description,
    )
    names = [o.name for o in model.graph.output]
    if names != ["label", "probabilities"]:
        raise SystemExit(f"{name}: outputs are {names}, want label and probabilities")
    # The converter lists operator sets in an order that changes from run to run, some of them twice.
    opsets = {}
    for o in model.opset_import:
        opsets[o.domain] = max(o.version, opsets.get(o.domain, 0))
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in sorted(opsets.items()))
    return model


def state_output_shapes(model, classes):
    """Write the output shapes into the graph where the converter left them open."""
    for output, dims in zip(model.graph.output, (["batch"], ["batch", classes])):
        shape = helper.make_tensor_type_proto(TensorProto.FLOAT, dims).tensor_type.shape
        output.type.tensor_type.shape.CopyFrom(shape)
    for value in model.graph.input:
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        dim.dim_param = "batch"


def accept_images(model, side):
    """Let a model of flat pixels take [batch, side, side]: a Reshape goes first."""
    graph = model.graph
    flat = graph.input[0].name
    graph.initializer.append(helper.make_tensor("flat_shape", TensorProto.INT64, [2], [-1, side * side]))
    graph.node.insert(0, helper.make_node("Reshape", ["image", "flat_shape"], [flat], name="flatten"))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", side, side])
    del graph.input[:]
    graph.input.append(image)


def predict(estimator, frame, classes_type):
    """scikit-learn's answer, in the order and types of the exported outputs."""
    return {
        "label": np.asarray(estimator.predict(frame), dtype=classes_type),
        "probabilities": np.asarray(estimator.predict_proba(frame), dtype=np.float64),
    }


def compare(name, model, inputs, want):
    """Run every row through ONNX Runtime, in one batch and one by one, and return the worst difference."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = len(next(iter(inputs.values())))
    worst = 0.0
    batches = [slice(0, rows)] + [slice(i, i + 1) for i in range(min(rows, 50))]
    for part in batches:
        label, probabilities = session.run(
            ["label", "probabilities"], {k: v[part] for k, v in inputs.items()}
        )
        if not np.array_equal(label, want["label"][part]):
            raise SystemExit(f"{name}: ONNX Runtime and scikit-learn disagree about a label")
        worst = max(worst, float(np.abs(probabilities - want["probabilities"][part]).max()))
    if worst > TOLERANCE:
        raise SystemExit(f"{name}: ONNX Runtime differs from scikit-learn by {worst:g}, allowed {TOLERANCE:g}")
    return worst


def plain(value):
    """A JSON value; a float32 is written with the fewest digits that give it back."""
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def golden(source, inputs, want, rows):
    """The golden file: per case each input and output as a flat array."""
    cases = []
    for i in rows:
        cases.append(
            {
                "inputs": {k: [plain(v) for v in np.ravel(a[i])] for k, a in inputs.items()},
                "outputs": {k: [plain(v) for v in np.ravel(a[i])] for k, a in want.items()},
            }
        )
    lines = ",\n".join(" " + json.dumps(c) for c in cases)
    head = f'{{"source": {json.dumps(source)}, "tolerance": {TOLERANCE:g}, "cases": [\n'
    return head + lines + "\n]}\n"


def spread(scores, rows, count):
    """Pick `count` of `rows`, evenly along the score, so that golden cases cover doubt as well as certainty."""
    order = rows[np.argsort(scores[rows], kind="stable")]
    return order[np.linspace(0, len(order) - 1, count).round().astype(int)]


def write_version(folder, model, estimator, inputs, want, rows):
    """Check the model on all rows and write model.onnx and golden.json; returns the worst difference."""
    folder = pathlib.Path(folder)
    onnx.checker.check_model(model)
    worst = compare(str(folder), model, inputs, want)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    kind = type(estimator[-1] if hasattr(estimator, "steps") else estimator).__name__
    source = f"scikit-learn {sklearn.__version__} {kind}.predict and predict_proba"
    chosen = spread(want["probabilities"][:, 0], rows, GOLDEN_CASES)
    (folder / "golden.json").write_text(golden(source, inputs, want, chosen))
    return worst
