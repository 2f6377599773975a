"""What the tests of the clients share: where the gateway is, and what it must answer."""

import json
import os
import pathlib

import ml_dtypes
import numpy as np

HTTP = os.environ["HOTPATH_HTTP"]  # host:port
GRPC = os.environ["HOTPATH_GRPC"]
DEMO = pathlib.Path(os.environ["HOTPATH_DEMO"])  # models/demo/repository

# How far an answer may be from scikit-learn's, as the golden files promise.
TOLERANCE = 1e-5

# numpy's types of the demo models' inputs.
INPUTS = {
    "risk": {"X": (np.float32, (30,))},
    "digits": {"image": (np.float32, (8, 8))},
    "progression": {
        "bmi_class": (np.object_, (1,)),
        "sex": (np.int64, (1,)),
        "age": (np.int64, (1,)),
        "blood_pressure": (np.float32, (1,)),
        "hdl": (np.float32, (1,)),
        "log_triglycerides": (np.float32, (1,)),
    },
}

MODELS = [("risk", "1"), ("risk", "2"), ("digits", "1"), ("progression", "1")]

DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.int64): "INT64", np.dtype(np.object_): "BYTES"}

# Rows of each type with its extremes, by the protocol's names.
EXTREMES = {
    "BOOL": np.array([[True, False, True]]),
    "INT8": np.array([[-(2**7), 0, 2**7 - 1]], np.int8),
    "INT16": np.array([[-(2**15), 0, 2**15 - 1]], np.int16),
    "INT32": np.array([[-(2**31), 0, 2**31 - 1]], np.int32),
    "INT64": np.array([[-(2**63), 2**53 + 1, 2**63 - 1]], np.int64),
    "UINT8": np.array([[0, 1, 2**8 - 1]], np.uint8),
    "UINT16": np.array([[0, 1, 2**16 - 1]], np.uint16),
    "UINT32": np.array([[0, 1, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 2**53 + 1, 2**64 - 1]], np.uint64),
    "FP16": np.array([[-65504, 6e-8, 1 / 3]], np.float16),
    "BF16": np.array([[-3.3895314e38, 9e-41, 1 / 3]], ml_dtypes.bfloat16),
    "FP32": np.array([[np.finfo(np.float32).min, 1e-45, 1 / 3]], np.float32),
    "FP64": np.array([[np.finfo(np.float64).min, 5e-324, 1 / 3]], np.float64),
    "BYTES": np.array([[b"", "gr\u00fc\u00df".encode(), b'"\\/\n\t']], np.object_),
}


def golden(model, version, rows=8):
    """Gives inputs and expected outputs of a demo model as arrays of rows."""
    cases = json.loads((DEMO / model / version / "golden.json").read_text())["cases"][:rows]
    inputs = {}
    for name, (dtype, shape) in INPUTS[model].items():
        values = [case["inputs"][name] for case in cases]
        if dtype is np.object_:
            values = [[v.encode() for v in row] for row in values]
        inputs[name] = np.array(values, dtype).reshape(len(cases), *shape)
    labels = [case["outputs"]["label"][0] for case in cases]
    return inputs, labels, np.array([case["outputs"]["probabilities"] for case in cases])


def check_golden(test, version_of_model, label, probabilities, labels, expected):
    """Holds an answer's outputs against scikit-learn's."""
    got = [v.decode() if isinstance(v, bytes) else v for v in np.asarray(label).ravel().tolist()]
    test.assertEqual(got, labels, version_of_model)
    np.testing.assert_allclose(np.asarray(probabilities), expected, atol=TOLERANCE, err_msg=str(version_of_model))
