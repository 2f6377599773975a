"""Plain HTTP, as curl sends it: TensorFlow Serving's REST form, and the corners of
the protocol that no client library shows."""

import json
import unittest

import numpy as np
import requests

import gateway

V1 = f"http://{gateway.HTTP}/v1/models"
V2 = f"http://{gateway.HTTP}/v2"


class TensorFlowServing(unittest.TestCase):
    def setUp(self):
        self.http = requests.Session()
        self.addCleanup(self.http.close)

    def predict(self, model, body, status=200):
        answer = self.http.post(f"{V1}/{model}:predict", json=body, timeout=10)
        self.assertEqual(answer.status_code, status, answer.text)
        return answer.json()

    def test_status(self):
        versions = self.http.get(f"{V1}/risk", timeout=10).json()["model_version_status"]
        self.assertEqual({(v["version"], v["state"]) for v in versions}, {("1", "AVAILABLE"), ("2", "AVAILABLE")})
        self.assertEqual(versions[0]["status"], {"error_code": "OK", "error_message": ""})
        one = self.http.get(f"{V1}/risk/versions/1", timeout=10).json()["model_version_status"]
        self.assertEqual([v["version"] for v in one], ["1"])
        self.assertEqual(self.http.get(f"{V1}/nothing", timeout=10).status_code, 404)

    def test_rows(self):
        arrays, labels, expected = gateway.golden("digits", "1")
        for instances in (arrays["image"].tolist(), [{"image": r} for r in arrays["image"].tolist()]):
            rows = self.predict("digits", {"instances": instances})["predictions"]
            gateway.check_golden(self, "digits", [r["label"] for r in rows], [r["probabilities"] for r in rows], labels, expected)

    def test_columns(self):
        arrays, labels, expected = gateway.golden("digits", "1")
        for inputs in (arrays["image"].tolist(), {"image": arrays["image"].tolist()}):
            outputs = self.predict("digits", {"inputs": inputs})["outputs"]
            gateway.check_golden(self, "digits", outputs["label"], outputs["probabilities"], labels, expected)

    def test_several_inputs(self):
        arrays, labels, expected = gateway.golden("progression", "1")
        columns = {n: [[v.decode() if isinstance(v, bytes) else v for v in row] for row in a.tolist()] for n, a in arrays.items()}
        rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
        for version in ("progression", "progression/versions/1"):
            got = self.predict(version, {"signature_name": "serving_default", "instances": rows})["predictions"]
            gateway.check_golden(self, version, [r["label"] for r in got], [r["probabilities"] for r in got], labels, expected)

    def test_labels(self):
        ones = [[1] * 16]
        got = self.predict("pair/labels/stable", {"inputs": {"INPUT0": ones, "INPUT1": ones}})
        self.assertEqual(got, {"outputs": {"OUTPUT0": [[2] * 16], "OUTPUT1": [[0] * 16]}})
        self.assertIn("canary", self.predict("pair/labels/canary", {"inputs": {"INPUT0": ones, "INPUT1": ones}}, 404)["error"])

    def test_one_output_has_no_name(self):
        self.assertEqual(self.predict("identity_int64", {"instances": [[1, 2], [3, 4]]}), {"predictions": [[1, 2], [3, 4]]})
        self.assertEqual(self.predict("identity_fp64", {"inputs": [[0.1, 1e300]]}), {"outputs": [[0.1, 1e300]]})

    def test_base64(self):
        answer = self.predict("identity_bytes", {"instances": [[{"b64": "aGVsbG8="}, "w\u00f6rld"]]})
        self.assertEqual(answer, {"predictions": [["hello", "w\u00f6rld"]]})

    def test_errors(self):
        self.assertIn("nothing", self.predict("nothing", {"instances": [[1]]}, 404)["error"])
        self.assertTrue(self.predict("digits", {"instances": [[1, 2]]}, 400)["error"])
        self.assertTrue(self.predict("digits", {"instances": []}, 400)["error"])
        self.assertTrue(self.predict("digits", {"other": 1}, 400)["error"])
        self.assertTrue(self.predict("identity_int64", {"instances": [["x"]]}, 400)["error"])


class OpenInference(unittest.TestCase):
    def setUp(self):
        self.http = requests.Session()
        self.addCleanup(self.http.close)

    def post(self, path, body, status=200, **headers):
        answer = self.http.post(f"{V2}/{path}", data=body, headers=headers, timeout=10)
        self.assertEqual(answer.status_code, status, answer.text)
        return answer

    def test_bodies_of_health(self):
        self.assertEqual(self.http.get(f"{V2}/health/live", timeout=10).json()["live"], True)
        self.assertEqual(self.http.get(f"{V2}/health/ready", timeout=10).json()["ready"], True)
        self.assertEqual(self.http.get(f"{V2}/models/risk/ready", timeout=10).status_code, 200)
        self.assertEqual(self.http.get(f"http://{gateway.HTTP}/", timeout=10).json()["status"].lower(), "alive")

    def test_raw_request(self):
        x = np.arange(12, dtype="<f4")
        answer = self.post("models/identity_fp32/infer", x.tobytes(), **{"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"})
        length = int(answer.headers["Inference-Header-Content-Length"])
        output = json.loads(answer.content[:length])["outputs"][0]
        self.assertEqual(output["shape"], [1, 12])
        np.testing.assert_array_equal(np.frombuffer(answer.content[length:], "<f4"), x)

    def test_nested_and_flat(self):
        for data in ([[1, 2], [3, 4]], [1, 2, 3, 4]):
            body = {"id": "7", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "INT64", "data": data}]}
            answer = self.post("models/identity_int64/infer", json.dumps(body)).json()
            self.assertEqual((answer["id"], answer["outputs"][0]["data"], answer["outputs"][0]["shape"]), ("7", [1, 2, 3, 4], [2, 2]))

    def test_whole_64_bit_integers(self):
        body = '{"inputs":[{"name":"x","shape":[1,2],"datatype":"UINT64","data":[18446744073709551615,9007199254740993]}]}'
        self.assertIn("[18446744073709551615,9007199254740993]", self.post("models/identity_uint64/infer", body).text.replace(" ", ""))

    def test_errors_have_the_key_error(self):
        tensor = {"name": "x", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}
        for status, path, body in [
            (400, "models/identity_int64/infer", "{"),
            (400, "models/identity_int64/infer", "{}"),
            (400, "models/identity_int64/infer", json.dumps({"inputs": [{**tensor, "data": [1]}]})),
            (400, "models/identity_int64/infer", json.dumps({"inputs": [{**tensor, "data": [1, "2"]}]})),
            (400, "models/identity_int64/infer", json.dumps({"inputs": [{**tensor, "datatype": "INT65"}]})),
            (400, "models/identity_int64/infer", json.dumps({"inputs": [{**tensor, "shape": [-1, 2]}]})),
            (404, "models/nothing/infer", json.dumps({"inputs": [tensor]})),
            (404, "nothing", "{}"),
        ]:
            with self.subTest(body=body, path=path):
                self.assertIsInstance(self.post(path, body, status).json()["error"], str)
        refused = self.post("models/identity_int64/infer", "{}", 400, **{"Inference-Header-Content-Length": "77"})
        self.assertIn("77", refused.json()["error"])


if __name__ == "__main__":
    unittest.main()
