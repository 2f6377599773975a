"""Make the models that the benchmarks score.

    python3 -m venv env && env/bin/pip install -r models/demo/requirements.txt
    env/bin/python bench/testdata/make_models.py

Four multi-layer perceptrons with a sigmoid at the end, float32 in `x`
[batch, n], float32 out `y` [batch, 1]. Their weights are trained by
scikit-learn on a made-up, seeded task (the speed of a dense layer does not
depend on its weights, but honest golden values do), and each golden.json holds
scikit-learn's own predict_proba:

    mlp     64-256-128-1, its input bound to user.f0 to user.f63
    tensor  the same file, bound to nothing: x comes with the request
    mlp10   10-64-1, bound to user.f0 to user.f9
    mid     10 features user.f0 to user.f9, a fixed projection to 64 in the
            graph, then 64-256-128-1

config.yaml and features.yaml are written by hand.
"""

import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
import sklearn
from onnx import TensorProto, helper, numpy_helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

REPOSITORY = pathlib.Path(__file__).resolve().parent / "repository"
SEED = 2026
ROWS = 4000
CASES = 8
TOLERANCE = 1e-5


def task(width, rng):
    """Rows on the unit normal, and a class that is a bent function of them."""
    x = rng.standard_normal((ROWS, width)).astype(np.float32)
    bent = np.tanh(x @ rng.standard_normal(width)) + 0.5 * np.sin(x @ rng.standard_normal(width))
    return x, (bent > 0).astype(int)


def train(width, hidden, rng):
    """A fitted network; float64 weights inside, as scikit-learn keeps them."""
    x, y = task(width, rng)
    network = MLPClassifier(hidden, max_iter=25, tol=0, n_iter_no_change=25, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 25 rounds are enough for golden values
        return network.fit(x, y)


def graph_of(network, width, name, projection=None):
    """The network as Gemm, Relu and Sigmoid nodes, behind a MatMul when there is a projection."""
    nodes, constants, last = [], [], "x"
    if projection is not None:
        constants.append(numpy_helper.from_array(projection, "projection"))
        nodes.append(helper.make_node("MatMul", [last, "projection"], ["projected"], name="project"))
        last = "projected"
    layers = len(network.coefs_)
    for i, (w, b) in enumerate(zip(network.coefs_, network.intercepts_)):
        constants.append(numpy_helper.from_array(w.astype(np.float32), f"w{i}"))
        constants.append(numpy_helper.from_array(b.astype(np.float32), f"b{i}"))
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"z{i}"], name=f"layer{i}"))
        kind, last = ("Relu", f"a{i}") if i < layers - 1 else ("Sigmoid", "y")
        nodes.append(helper.make_node(kind, [f"z{i}"], [last], name=f"{kind.lower()}{i}"))
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="hotpath")
    onnx.checker.check_model(model, full_check=True)
    return model


def write(name, model, x, want):
    """Write a version folder once ONNX Runtime agrees with scikit-learn on every row."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    worst = float(np.abs(session.run(["y"], {"x": x})[0][:, 0] - want).max())
    if worst > TOLERANCE:
        raise SystemExit(f"{name}: ONNX Runtime differs from scikit-learn by {worst:g}, allowed {TOLERANCE:g}")
    folder = REPOSITORY / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    cases = [
        json.dumps({"inputs": {"x": [float(str(v)) for v in x[i]]}, "outputs": {"y": [float(want[i])]}})
        for i in range(CASES)
    ]
    source = f"scikit-learn {sklearn.__version__} MLPClassifier.predict_proba"
    (folder / "golden.json").write_text(
        f'{{"source": "{source}", "tolerance": {TOLERANCE:g}, "cases": [\n ' + ",\n ".join(cases) + "\n]}\n")
    print(f"{name:<7} {len(model.SerializeToString()):>7} bytes, largest export difference {worst:.1e}")


def main():
    rng = np.random.default_rng(SEED)
    large = train(64, (256, 128), rng)
    small = train(10, (64,), rng)
    projection = (rng.standard_normal((10, 64)) / np.sqrt(10)).astype(np.float32)
    wide = rng.standard_normal((200, 64)).astype(np.float32)
    narrow = rng.standard_normal((200, 10)).astype(np.float32)
    projected = narrow.astype(np.float64) @ projection.astype(np.float64)

    write("mlp", graph_of(large, 64, "mlp"), wide, large.predict_proba(wide)[:, 1])
    write("tensor", graph_of(large, 64, "mlp"), wide, large.predict_proba(wide)[:, 1])
    write("mlp10", graph_of(small, 10, "mlp10"), narrow, small.predict_proba(narrow)[:, 1])
    write("mid", graph_of(large, 10, "mid", projection), narrow, large.predict_proba(projected)[:, 1])


if __name__ == "__main__":
    main()
