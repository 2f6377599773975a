"""Make the tiny ONNX files of models/testdata/fixtures, each with one fault, one oddity or one kind of shape.

    python3 -m venv env && env/bin/pip install -r models/demo/requirements.txt
    env/bin/python models/testdata/make_fixtures.py [--time]

Every file is tried with ONNX Runtime as it is made: those that should run are
run and their answers checked, those that should be refused must be. --time also
runs slow_loop and slow_kernel and prints how long one run takes on one thread.
fixtures/README.md says what each is for.
"""

import pathlib
import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

HERE = pathlib.Path(__file__).resolve().parent / "fixtures"
FLOAT, DOUBLE, INT32, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64
STRING, BOOL = TensorProto.STRING, TensorProto.BOOL
TYPES = {
    "bool": BOOL, "int8": TensorProto.INT8, "int16": TensorProto.INT16, "int32": INT32, "int64": INT64,
    "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16, "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64,
    "float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16, "float32": FLOAT, "float64": DOUBLE, "string": STRING,
}

# One run of slow_loop is this many turns of three small nodes; one run of
# slow_kernel multiplies two square matrices of this side. Each is several
# seconds on one thread of a 2025 server core.
LOOP_TURNS = 2_200_000
KERNEL_SIDE = 4608


def port(name, kind, *dims):
    return helper.make_tensor_value_info(name, kind, list(dims))


def constant(name, value, kind=np.int64):
    return numpy_helper.from_array(np.array(value, dtype=kind), name)


def build(nodes, inputs, outputs, constants=(), domains=(), opset=17):
    graph = helper.make_graph(nodes, "fixture", inputs, outputs, list(constants))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="hotpath")


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def echo(id_kind):
    """id comes back untouched, so that a row delivered to the wrong caller is seen."""
    return build(
        [node("Identity", "id", "id_out"), node("ReduceSum", "x last", "sum", keepdims=1)],
        [port("id", id_kind, "batch", 1), port("x", FLOAT, "batch", 4)],
        [port("id_out", id_kind, "batch", 1), port("sum", FLOAT, "batch", 1)],
        [constant("last", [1])],
    )


def nan():
    return build(
        [node("Sub", "x x", "zero"), node("Div", "zero zero", "nans"), node("ReduceSum", "nans last", "y", keepdims=1)],
        [port("x", FLOAT, "batch", 4)], [port("y", FLOAT, "batch", 1)], [constant("last", [1])],
    )


def gather_poison():
    """An index beyond -8..7 fails the whole run, also for the other rows of the batch."""
    table = np.arange(16, dtype=np.float32).reshape(8, 2)
    return build(
        [node("Gather", "table index", "rows", axis=0), node("Squeeze", "rows middle", "y")],
        [port("index", INT64, "batch", 1)], [port("y", FLOAT, "batch", 2)],
        [constant("middle", [1]), numpy_helper.from_array(table, "table")],
    )


def slow_loop():
    """Many small nodes: ONNX Runtime looks between any two whether it should stop."""
    body = helper.make_graph(
        [node("Mul", "value half", "halved"), node("Add", "halved one", "value_out"), node("Identity", "go", "go_out")],
        "turn",
        [port("turn", INT64), port("go", BOOL), port("value", FLOAT, "batch", 1)],
        [port("go_out", BOOL), port("value_out", FLOAT, "batch", 1)],
    )
    return build(
        [helper.make_node("Loop", ["turns", "start", "x"], ["y"], body=body)],
        [port("x", FLOAT, "batch", 1)], [port("y", FLOAT, "batch", 1)],
        [constant("turns", LOOP_TURNS), constant("start", True, np.bool_),
         constant("half", 0.5, np.float32), constant("one", 1, np.float32)],
    )


def slow_kernel():
    """One MatMul that cannot be stopped. Its matrix is filled from the input, so that no optimiser works it out at load."""
    return build(
        [
            node("ReduceMax", "x", "fill", keepdims=0),
            node("Expand", "fill side", "matrix"),
            node("MatMul", "matrix matrix", "product"),
            node("ReduceMin", "product", "least", keepdims=0),
            node("Mul", "x zero", "nothing"),
            node("Add", "nothing least", "y"),
        ],
        [port("x", FLOAT, "batch", 1)], [port("y", FLOAT, "batch", 1)],
        [constant("side", [KERNEL_SIDE, KERNEL_SIDE]), constant("zero", 0, np.float32)],
    )


def zipmap():
    """What skl2onnx makes unless told otherwise: probabilities as a sequence of maps."""
    x, y = load_iris(return_X_y=True)
    estimator = LogisticRegression(max_iter=1000).fit(x.astype(np.float32), y)
    model = convert_sklearn(
        estimator, name="zipmap", initial_types=[("x", FloatTensorType([None, 4]))],
        target_opset={"": 17, "ai.onnx.ml": 3}, options={id(estimator): {"zipmap": True}})
    versions = {o.domain: o.version for o in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in sorted(versions.items()))
    return model


def external_data():
    """A weight that lies in a file outside the model's folder."""
    weight = helper.make_tensor("w", FLOAT, [4, 1], np.zeros(4, np.float32))
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../../../etc/passwd"), ("offset", "0"), ("length", "16")):
        weight.external_data.add(key=key, value=value)
    return build([node("MatMul", "x w", "y")], [port("x", FLOAT, "batch", 4)], [port("y", FLOAT, "batch", 1)], [weight])


def custom_domain():
    return build(
        [node("Mystery", "x", "y", domain="example.custom")],
        [port("x", FLOAT, "batch", 4)], [port("y", FLOAT, "batch", 1)], domains=[("example.custom", 1)],
    )


def row_sum(batch):
    """The sum of a row of four, for a batch dimension as given."""
    return build(
        [node("ReduceSum", "x last", "y", keepdims=1)],
        [port("x", FLOAT, batch, 4)], [port("y", FLOAT, batch, 1)], [constant("last", [1])],
    )


def no_batch():
    return build([node("Neg", "x", "y")], [port("x", FLOAT, 3)], [port("y", FLOAT, 3)])


def dynamic_output():
    """y is [batch, 2] when run, but not even its rank can be read from the graph: Reshape's target is data."""
    output = helper.make_value_info("y", helper.make_tensor_type_proto(FLOAT, None))
    return build(
        [
            node("Shape", "x", "shape"),
            node("Slice", "shape zeros ones", "rows"),
            node("Concat", "rows seven two", "candidates", axis=0),
            node("Compress", "candidates keep", "target", axis=0),
            node("Slice", "x zeros two last", "pair"),
            node("Reshape", "pair target", "y"),
        ],
        [port("x", FLOAT, "batch", 4)], [output],
        [constant("zeros", [0]), constant("ones", [1]), constant("two", [2]), constant("seven", [7]),
         constant("last", [1]), constant("keep", [True, False, True], np.bool_)],
    )


def strings():
    return build(
        [
            node("Identity", "word", "same"),
            node("LabelEncoder", "word", "code", domain="ai.onnx.ml",
                 keys_strings=["red", "green", "blue"], values_int64s=[1, 2, 3], default_int64=-1),
        ],
        [port("word", STRING, "batch", 1)], [port("same", STRING, "batch", 1), port("code", INT64, "batch", 1)],
        domains=[("ai.onnx.ml", 2)],
    )


def joined():
    """StringConcat adds to what its output holds already."""
    return build([node("StringConcat", "left right", "both")],
                 [port("left", STRING, "batch", 1), port("right", STRING, "batch", 1)], [port("both", STRING, "batch", 1)], opset=20)


def bools():
    return build([node("Not", "x", "y")], [port("x", BOOL, "batch", 2)], [port("y", BOOL, "batch", 2)])


def doubled(kind):
    return build([node("Add", "x x", "y")], [port("x", kind, "batch", 3)], [port("y", kind, "batch", 3)])


def masked_mean():
    """The mean of what the mask marks in a sequence of any length."""
    return build(
        [
            node("Cast", "mask", "weight", to=FLOAT), node("Mul", "x weight", "marked"),
            node("ReduceSum", "marked last", "sum", keepdims=0), node("ReduceSum", "weight last", "count", keepdims=0),
            node("Div", "sum count", "mean"),
        ],
        [port("x", FLOAT, "batch", "seq"), port("mask", INT64, "batch", "seq")], [port("mean", FLOAT, "batch")],
        [constant("last", [1])],
    )


def outer():
    """Two inputs whose lengths have nothing to do with each other."""
    return build(
        [node("Unsqueeze", "a two", "column"), node("Unsqueeze", "b one", "row"), node("Mul", "column row", "product")],
        [port("a", FLOAT, "batch", "n"), port("b", FLOAT, "batch", "m")], [port("product", FLOAT, "batch", "n", "m")],
        [constant("one", [1]), constant("two", [2])],
    )


def scaled():
    """A scalar goes in, and one comes out: there is no batch."""
    return build(
        [node("Mul", "x scale", "y"), node("ReduceSum", "y", "total", keepdims=0)],
        [port("x", FLOAT, 3), port("scale", FLOAT)], [port("y", FLOAT, 3), port("total", FLOAT)],
    )


def nonzero():
    """As many columns as the data has elements that are not zero."""
    return build([node("NonZero", "x", "index")], [port("x", FLOAT, 6)], [port("index", INT64, 1, "found")])


def text():
    return build([node("Identity", "words", "same")], [port("words", STRING, "batch", "n")], [port("same", STRING, "batch", "n")])


def dtypes(kinds, *dims):
    """Elements of many types, unchanged."""
    return build(
        [node("Identity", f"{kind}_in", f"{kind}_out") for kind in kinds],
        [port(f"{kind}_in", TYPES[kind], *dims) for kind in kinds],
        [port(f"{kind}_out", TYPES[kind], *dims) for kind in kinds],
    )


# Row i of the table of embeddings is i, 10 i, 100 i: row 0 adds nothing.
EMBEDDINGS = np.outer(np.arange(8), [1, 10, 100]).astype(np.float32)


def embedding_sum():
    """Padding with token 0 does not change the sum."""
    return build(
        [node("Gather", "table tokens", "rows", axis=0), node("ReduceSum", "rows middle", "sum", keepdims=0)],
        [port("tokens", INT64, "batch", "seq")], [port("sum", FLOAT, "batch", 3)],
        [constant("middle", [1]), numpy_helper.from_array(EMBEDDINGS, "table")],
    )


def session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def refused(run):
    """Whether ONNX Runtime raises an error of its own."""
    try:
        run()
    except Exception as e:  # its Python errors share no base class of their own
        return "onnxruntime" in type(e).__module__
    return False


def column(*values, kind=np.float32):
    return np.array(values, dtype=kind).reshape(-1, 1)


def must(name, ok):
    if not ok:
        raise SystemExit(f"{name}: does not behave as its README says")


def good_models():
    """Every model that runs: its name, the model, an input and the outputs it must give."""
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    sums = column(6, 22)
    big = [2**53 + 1, -1]
    three = np.array([[1, -2, 3]])
    return [
        ("echo", echo(DOUBLE), {"id": column(1.5, -0.1, kind=np.float64), "x": x},
         [column(1.5, -0.1, kind=np.float64), sums]),
        ("echo_int64", echo(INT64), {"id": column(*big, kind=np.int64), "x": x}, [column(*big, kind=np.int64), sums]),
        ("nan", nan(), {"x": x}, [column(np.nan, np.nan)]),
        ("gather_poison", gather_poison(), {"index": column(0, 7, kind=np.int64)},
         [np.array([[0, 1], [14, 15]], np.float32)]),
        ("fixed_batch", row_sum(1), {"x": x[:1]}, [sums[:1]]),
        ("no_batch", no_batch(), {"x": x[0, :3]}, [-x[0, :3]]),
        ("dynamic_output", dynamic_output(), {"x": x}, [x[:, :2]]),
        ("joined", joined(), {"left": column("a", "", kind=object), "right": column("b", "c", kind=object)}, [column("ab", "c", kind=object)]),
        ("strings", strings(), {"word": column("blue", "grün", kind=object)},
         [column("blue", "grün", kind=object), column(3, -1, kind=np.int64)]),
        ("bools", bools(), {"x": np.array([[True, False]])}, [np.array([[False, True]])]),
        ("f64", doubled(DOUBLE), {"x": three * 0.1}, [three * 0.2]),
        ("int32", doubled(INT32), {"x": three.astype(np.int32)}, [2 * three.astype(np.int32)]),
        ("masked_mean", masked_mean(), {"x": x, "mask": np.array([[1, 1, 0, 0], [0, 0, 0, 1]])}, [np.array([0.5, 7], np.float32)]),
        ("outer", outer(), {"a": x[:1, :3], "b": x[1:, :2]}, [np.einsum("bn,bm->bnm", x[:1, :3], x[1:, :2])]),
        ("scaled", scaled(), {"x": x[0, 1:], "scale": np.array(2, np.float32)}, [2 * x[0, 1:], np.array(12, np.float32)]),
        ("batch_of_4", row_sum(4), {"x": np.tile(x, (2, 1))}, [np.tile(sums, (2, 1))]),
        ("nonzero", nonzero(), {"x": np.array([0, 1, 0, 0, -2, 3], np.float32)}, [np.array([[1, 4, 5]])]),
        ("text", text(), {"words": np.array([["a", ""], ["grün", "b"]], object)}, [np.array([["a", ""], ["grün", "b"]], object)]),
        ("embedding_sum", embedding_sum(), {"tokens": np.array([[1, 2, 0], [7, 7, 7]])}, [np.array([[3, 30, 300], [21, 210, 2100]], np.float32)]),
    ]


def write(name, data):
    folder = HERE / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(data)
    print(f"{name:<15} {len(data):>5} bytes")


def packed(model):
    return model.SerializeToString(deterministic=True)


def write_good():
    for name, model, feed, want in good_models():
        data = packed(model)
        got = session(data).run(None, feed)
        for g, w in zip(got, want, strict=True):
            same = np.array_equal(g, w, equal_nan=True) if g.dtype.kind == "f" else np.array_equal(g, w)
            must(name, same and g.dtype == w.dtype)
        write(name, data)
    open_shape = session(packed(dynamic_output())).get_outputs()[0].shape
    must("dynamic_output", not open_shape or None in open_shape)
    poison = session(packed(gather_poison()))
    must("gather_poison", refused(lambda: poison.run(None, {"index": column(0, 8, kind=np.int64)})))
    data = packed(zipmap())
    maps = session(data).run(None, {"x": np.zeros((2, 4), np.float32)})[1]
    must("zipmap", len(maps) == 2 and sorted(maps[0]) == [0, 1, 2])
    write("zipmap", data)


def write_dtypes():
    """numpy has no bfloat16: the types but that are run, and the whole is loaded."""
    for name, dims, shape in (("dtypes", ("batch", 2), (3, 2)), ("dtypes_open", ("batch", "n"), (3, 5))):
        known = {kind for kind in TYPES if kind != "bfloat16"}
        feed = {f"{kind}_in": numbers(kind, shape) for kind in known}
        got = session(packed(dtypes(known, *dims))).run([f"{kind}_out" for kind in known], feed)
        for kind, values in zip(known, got, strict=True):
            must(name, np.array_equal(values, numbers(kind, shape)))
        data = packed(dtypes(TYPES, *dims))
        must(name, len(session(data).get_inputs()) == len(TYPES))
        write(name, data)


def numbers(kind, shape):
    counted = np.arange(np.prod(shape)).reshape(shape)
    return counted.astype(str).astype(object) if kind == "string" else counted.astype(kind)


def write_bad():
    whole = packed(row_sum("batch"))
    bad = {
        "external_data": packed(external_data()),
        "custom_domain": packed(custom_domain()),
        "truncated": whole[: len(whole) // 2],
        "garbage": np.random.default_rng(2026).bytes(4096),
    }
    for name, data in bad.items():
        write(name, data)
        must(name, refused(lambda: session(data)))
        must(name, refused(lambda: session(str(HERE / name / "1/model.onnx"))))


def write_slow(timed):
    for name, model in (("slow_loop", slow_loop()), ("slow_kernel", slow_kernel())):
        data = packed(model)
        start = time.perf_counter()
        loaded = session(data)
        must(name, time.perf_counter() - start < 1)
        write(name, data)
        if timed:
            start = time.perf_counter()
            loaded.run(None, {"x": column(1)})
            print(f"{'':<15} one run took {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    write_good()
    write_dtypes()
    write_bad()
    write_slow("--time" in sys.argv[1:])
