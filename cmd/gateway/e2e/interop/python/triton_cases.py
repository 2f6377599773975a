"""What is asked of tritonclient, the same over HTTP and gRPC."""

import concurrent.futures
import time

import numpy as np
from tritonclient.utils import InferenceServerException

import gateway


class Cases:
    """The tests; a transport's test case adds module, client and its own ways.

    module is tritonclient.http or tritonclient.grpc.
    """

    module = None

    def inputs(self, arrays, datatypes=None, **how):
        tensors = []
        for name, array in arrays.items():
            datatype = (datatypes or {}).get(name) or gateway.DATATYPES[array.dtype]
            tensor = self.module.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array, **how)
            tensors.append(tensor)
        return tensors

    def refused(self, *texts):
        """Expects a refusal whose message holds the texts."""
        pattern = "(?is)" + "".join(f"(?=.*{t})" for t in texts)
        return self.assertRaisesRegex(InferenceServerException, pattern)

    # Health and metadata.

    def test_health(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        for model, version in gateway.MODELS:
            self.assertTrue(self.client.is_model_ready(model))
            self.assertTrue(self.client.is_model_ready(model, version))
        self.assertFalse(self.client.is_model_ready("nothing"))
        self.assertFalse(self.client.is_model_ready("risk", "77"))

    def test_server_metadata(self):
        told = self.told(self.client.get_server_metadata)
        self.assertEqual(told["name"], "hotpath")
        self.assertTrue(told["version"])
        for extension in ("binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"):
            self.assertIn(extension, told["extensions"])

    def test_model_metadata(self):
        told = self.told(self.client.get_model_metadata, "digits")
        self.assertEqual(told["name"], "digits")
        self.assertEqual(told["platform"], "onnxruntime_onnx")
        self.assertEqual(told["versions"], ["1"])
        self.assertEqual([(t["name"], t["datatype"], self.shape(t)) for t in told["inputs"]], [("image", "FP32", [-1, 8, 8])])
        self.assertEqual(
            [(t["name"], t["datatype"], self.shape(t)) for t in told["outputs"]],
            [("label", "INT64", [-1]), ("probabilities", "FP32", [-1, 10])],
        )
        self.assertEqual(self.told(self.client.get_model_metadata, "risk", "2")["name"], "risk")
        with self.refused("nothing"):
            self.client.get_model_metadata("nothing")

    def test_model_config(self):
        told = self.config("progression")
        self.assertEqual(told["name"], "progression")
        self.assertEqual(told["max_batch_size"], 32)
        self.assertEqual(told["backend"], "onnxruntime")
        self.assertEqual(
            {(i["name"], i["data_type"], tuple(int(d) for d in i["dims"])) for i in told["input"]},
            {("bmi_class", "TYPE_STRING", (1,)), ("sex", "TYPE_INT64", (1,)), ("age", "TYPE_INT64", (1,))}
            | {(n, "TYPE_FP32", (1,)) for n in ("blood_pressure", "hdl", "log_triglycerides")},
        )
        self.assertIn("dynamic_batching", told)
        self.assertEqual(self.config("transpose").get("max_batch_size", 0), 0)
        with self.refused("nothing"):
            self.config("nothing")

    def test_statistics(self):
        def counted():
            stats = self.told(self.client.get_inference_statistics, "pair")["model_stats"]
            self.assertEqual([s["name"] for s in stats], ["pair"])
            s = stats[0]
            return int(s.get("inference_count", 0)), int(s.get("execution_count", 0)), int(s["inference_stats"]["success"].get("count", 0))

        rows, runs, requests = counted()
        self.infer_pair(3)
        self.infer_pair(2)
        self.assertEqual(counted(), (rows + 5, runs + 2, requests + 2))
        everything = self.told(self.client.get_inference_statistics)["model_stats"]
        self.assertIn(("risk", "2"), [(s["name"], s["version"]) for s in everything])
        self.assertTrue(self.told(self.client.get_inference_statistics, "risk", "1")["model_stats"])
        with self.refused("nothing"):
            self.client.get_inference_statistics("nothing")

    # Inference.

    def long(self):
        """Gives inputs for the model turns that keep it busy for seconds."""
        return self.inputs({"turns": np.array(2_000_000, np.int64)})

    def infer_pair(self, rows, **how):
        a = np.arange(16 * rows, dtype=np.int32).reshape(rows, 16)
        b = np.full_like(a, 3)
        types = {"INPUT0": "INT32", "INPUT1": "INT32"}
        result = self.client.infer("pair", self.inputs({"INPUT0": a, "INPUT1": b}, types), **how)
        return a, b, result

    def test_golden(self):
        for model, version in gateway.MODELS:
            for rows in (1, 8):
                arrays, labels, expected = gateway.golden(model, version, rows)
                result = self.client.infer(model, self.inputs(arrays), model_version=version)
                gateway.check_golden(self, (model, version), result.as_numpy("label"), result.as_numpy("probabilities"), labels, expected)
                told = self.response(result)
                self.assertEqual((told["model_name"], told["model_version"]), (model, version))

    def test_more_rows_than_a_batch(self):
        arrays, labels, expected = gateway.golden("progression", "1", 20)
        many = {name: np.concatenate([array] * 5) for name, array in arrays.items()}
        result = self.client.infer("progression", self.inputs(many))
        gateway.check_golden(self, "100 rows", result.as_numpy("label"), result.as_numpy("probabilities"), labels * 5, np.concatenate([expected] * 5))

    def test_version_by_label(self):
        _, _, result = self.infer_pair(1, model_version="stable")
        self.assertEqual(self.response(result)["model_version"], "1")
        self.assertTrue(self.client.is_model_ready("pair", "stable"))

    def test_chosen_outputs(self):
        _, _, result = self.infer_pair(1, outputs=[self.module.InferRequestedOutput("OUTPUT1")])
        self.assertEqual([o["name"] for o in self.response(result)["outputs"]], ["OUTPUT1"])
        a, b, result = self.infer_pair(2, outputs=[self.module.InferRequestedOutput(n) for n in ("OUTPUT1", "OUTPUT0")])
        self.assertEqual([o["name"] for o in self.response(result)["outputs"]], ["OUTPUT1", "OUTPUT0"])
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a - b)
        with self.refused("OUTPUT7"):
            self.infer_pair(1, outputs=[self.module.InferRequestedOutput("OUTPUT7")])

    def test_request_id(self):
        _, _, result = self.infer_pair(1, request_id="order-66")
        self.assertEqual(self.response(result)["id"], "order-66")

    def test_terms(self):
        self.infer_pair(1, priority=1)
        self.infer_pair(1, timeout=5_000_000)
        self.infer_pair(1, parameters={"user_id": "user-42", "text": "any", "number": 7, "flag": True})
        began = time.monotonic()
        with self.refused("deadline|time"):
            self.client.infer("turns", self.long(), timeout=100_000)  # microseconds
        self.assertLess(time.monotonic() - began, 1)

    def test_sequences_are_refused(self):
        with self.refused("sequence"):
            self.infer_pair(1, sequence_id=5, sequence_start=True)

    def test_scalars(self):
        result = self.client.infer("turns", self.inputs({"turns": np.array(5, np.int64)}))
        self.assertEqual(result.as_numpy("sum").shape, ())
        self.assertEqual(result.as_numpy("sum"), 10)

    def test_no_batch_dimension(self):
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_array_equal(self.client.infer("transpose", self.inputs({"x": x})).as_numpy("y"), x.T)
        with self.refused("x", r"\[2,3\]"):
            self.client.infer("transpose", self.inputs({"x": x[:1]}))

    def test_every_type(self):
        for datatype, x in gateway.EXTREMES.items():
            with self.subTest(datatype):
                result = self.client.infer("identity_" + datatype.lower(), self.inputs({"x": x}, {"x": datatype}))
                np.testing.assert_array_equal(result.as_numpy("y"), x)
                self.assertEqual(self.response(result)["outputs"][0]["datatype"], datatype)

    def test_bytes_that_are_no_text(self):
        x = np.array([[bytes(range(1, 256)), b"\xff\xfe"]], np.object_)
        result = self.client.infer("identity_bytes", self.inputs({"x": x}), outputs=[self.module.InferRequestedOutput("y")])
        np.testing.assert_array_equal(result.as_numpy("y"), x)

    def test_not_a_number(self):
        x = np.array([[np.nan, np.inf, -np.inf]], np.float32)
        np.testing.assert_array_equal(self.client.infer("identity_fp32", self.inputs({"x": x})).as_numpy("y"), x)

    def test_classification(self):
        arrays, labels, expected = gateway.golden("digits", "1", 3)
        wanted = [self.module.InferRequestedOutput("probabilities", class_count=2)]
        classes = self.client.infer("digits", self.inputs(arrays), outputs=wanted).as_numpy("probabilities")
        self.assertEqual(classes.shape, (3, 2))
        for row, label, probabilities in zip(classes, labels, expected):
            value, index = row[0].decode().split(":")[:2]
            self.assertEqual(int(index), label)
            self.assertAlmostEqual(float(value), probabilities[label], places=4)

    # Errors.

    def test_errors(self):
        x = np.zeros((1, 16), np.int32)
        types = {"INPUT0": "INT32", "INPUT1": "INT32", "INPUT2": "INT32"}
        with self.refused("nothing"):
            self.client.infer("nothing", self.inputs({"x": x}, {"x": "INT32"}))
        with self.refused("pair", "77"):
            self.infer_pair(1, model_version="77")
        with self.refused("INPUT1", "missing"):
            self.client.infer("pair", self.inputs({"INPUT0": x}, types))
        with self.refused("INPUT2"):
            self.client.infer("pair", self.inputs({"INPUT0": x, "INPUT1": x, "INPUT2": x}, types))
        with self.refused("INPUT0", "twice"):
            self.client.infer("pair", self.inputs({"INPUT0": x}, types) * 2)
        with self.refused("INPUT1", r"\[1,15\]", r"\[-1,16\]"):
            self.client.infer("pair", self.inputs({"INPUT0": x, "INPUT1": x[:, :15]}, types))
        with self.refused("INPUT0", "FP32", "INT32"):
            self.client.infer("pair", self.inputs({"INPUT0": x.astype(np.float32), "INPUT1": x}, {"INPUT1": "INT32"}))
        with self.refused("INPUT", "rows"):
            self.client.infer("pair", self.inputs({"INPUT0": x, "INPUT1": np.zeros((2, 16), np.int32)}, types))
        with self.assertRaises(InferenceServerException) as caught:
            self.infer_pair(1, model_version="77")
        self.assertIn(self.not_found, str(caught.exception.status()))

    def test_shared_memory_is_refused(self):
        tensor = self.module.InferInput("x", [1, 3], "FP32")
        tensor.set_shared_memory("region", 12)
        with self.refused("shared|support"):
            self.client.infer("identity_fp32", [tensor])
        # There are no regions, which clients ask about, and none can be made.
        self.assertFalse(self.regions(self.client.get_system_shared_memory_status))
        self.assertFalse(self.regions(self.client.get_cuda_shared_memory_status))
        with self.assertRaises(InferenceServerException):
            self.client.register_system_shared_memory("region", "/region", 64)

    def test_settings_that_are_not_served(self):
        for call in (self.client.get_trace_settings, self.client.get_log_settings):
            with self.assertRaises(InferenceServerException):
                call()
        with self.assertRaises(InferenceServerException):
            self.client.update_log_settings({"log_info": True})

    # The repository.

    def test_repository(self):
        def state(name):
            return {(e["version"], e.get("state", "")) for e in self.index() if e["name"] == name}

        self.assertEqual(state("risk"), {("1", "READY"), ("2", "READY")})
        self.client.unload_model("transpose")
        self.assertFalse(self.client.is_model_ready("transpose"))
        self.assertEqual(state("transpose"), {("1", "UNAVAILABLE")})
        with self.refused("transpose"):
            self.client.infer("transpose", self.inputs({"x": np.zeros((2, 3), np.float32)}))
        self.client.load_model("transpose")
        self.assertTrue(self.client.is_model_ready("transpose"))
        self.assertEqual(state("transpose"), {("1", "READY")})
        self.client.load_model("transpose")  # again: nothing to do
        with self.refused("nothing"):
            self.client.load_model("nothing")
        with self.refused("nothing"):
            self.client.unload_model("nothing")
        with self.refused("config"):
            self.client.load_model("transpose", config='{"max_batch_size": 4}')
        with self.refused("config|file"):
            self.client.load_model("transpose", config="{}", files={"file:1/model.onnx": b"no model"})
        self.assertTrue(self.client.is_model_ready("transpose"))

    # Many at a time.

    def test_concurrency(self):
        def one(i):
            x = np.array([[i, -i]], np.int64)
            result = self.client_of_a_thread().infer("identity_int64", self.inputs({"x": x}), request_id=str(i))
            return (x == result.as_numpy("y")).all() and self.response(result)["id"] == str(i)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertTrue(all(pool.map(one, range(1000))))
