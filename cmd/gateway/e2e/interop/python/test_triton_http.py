"""tritonclient.http, unmodified."""

import asyncio
import unittest

import numpy as np
import requests
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio

import gateway
import triton_cases


class Http(triton_cases.Cases, unittest.TestCase):
    module = triton
    not_found = "404"

    def setUp(self):
        self.client = triton.InferenceServerClient(gateway.HTTP, concurrency=4)
        self.addCleanup(self.client.close)

    def client_of_a_thread(self):
        # The client's connections are greenlets, which keep to one thread.
        client = triton.InferenceServerClient(gateway.HTTP)
        self.addCleanup(client.close)
        return client

    def told(self, call, *args):
        return call(*args)

    def shape(self, tensor):
        return tensor["shape"]

    def config(self, model):
        return self.client.get_model_config(model)

    def index(self):
        return self.client.get_model_repository_index()

    def regions(self, call):
        return call()

    def response(self, result):
        return result.get_response()

    def test_headers_and_query(self):
        _, _, result = self.infer_pair(1, headers={"X-Test": "1"}, query_params={"a": "b"})
        self.assertIsNotNone(result)
        self.assertTrue(self.client.is_server_live(headers={"X-Test": "1"}, query_params={"a": "b"}))

    def test_json_both_ways(self):
        for datatype, x in gateway.EXTREMES.items():
            if datatype in ("FP16", "BF16"):
                continue  # the client itself refuses to write them as JSON
            with self.subTest(datatype):
                inputs = self.inputs({"x": x}, {"x": datatype}, binary_data=False)
                outputs = [triton.InferRequestedOutput("y", binary_data=False)]
                result = self.client.infer("identity_" + datatype.lower(), inputs, outputs=outputs)
                self.assertIn("data", result.get_output("y"))
                got = result.as_numpy("y")
                if datatype == "BYTES":
                    got = np.array([[v.encode() for v in row] for row in got], np.object_)
                np.testing.assert_array_equal(got, x)

    def test_mixed_forms(self):
        a = np.arange(16, dtype=np.int32).reshape(1, 16)
        first = self.inputs({"INPUT0": a}, {"INPUT0": "INT32"}, binary_data=False)
        second = self.inputs({"INPUT1": a}, {"INPUT1": "INT32"}, binary_data=True)
        outputs = [triton.InferRequestedOutput("OUTPUT0", binary_data=True), triton.InferRequestedOutput("OUTPUT1", binary_data=False)]
        result = self.client.infer("pair", first + second, outputs=outputs)
        self.assertIn("data", result.get_output("OUTPUT1"))
        self.assertNotIn("data", result.get_output("OUTPUT0"))
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), 2 * a)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), 0 * a)

    def test_json_has_no_nan(self):
        x = np.array([[np.nan]], np.float32)
        with self.refused("binary"):
            self.client.infer("identity_fp32", self.inputs({"x": x}), outputs=[triton.InferRequestedOutput("y", binary_data=False)])

    def test_compression(self):
        arrays, labels, expected = gateway.golden("digits", "1", 16)
        for request in (None, "gzip", "deflate"):
            for response in (None, "gzip", "deflate"):
                with self.subTest(request=request, response=response):
                    result = self.client.infer(
                        "digits", self.inputs(arrays), request_compression_algorithm=request, response_compression_algorithm=response
                    )
                    gateway.check_golden(self, "digits", result.as_numpy("label"), result.as_numpy("probabilities"), labels, expected)

    def test_async_infer(self):
        a = [np.full((1, 16), i, np.int32) for i in range(50)]
        types = {"INPUT0": "INT32", "INPUT1": "INT32"}
        waiting = [self.client.async_infer("pair", self.inputs({"INPUT0": x, "INPUT1": x}, types)) for x in a]
        for x, answer in zip(a, waiting):
            np.testing.assert_array_equal(answer.get_result().as_numpy("OUTPUT0"), 2 * x)

    def test_bodies_made_and_read_apart(self):
        arrays, labels, expected = gateway.golden("risk", "1", 4)
        body, length = triton.InferenceServerClient.generate_request_body(self.inputs(arrays))
        headers = {"Inference-Header-Content-Length": str(length)} if length else {}
        answer = requests.post(f"http://{gateway.HTTP}/v2/models/risk/versions/1/infer", data=body, headers=headers, timeout=10)
        self.assertEqual(answer.status_code, 200, answer.text)
        length = answer.headers.get("Inference-Header-Content-Length")
        result = triton.InferenceServerClient.parse_response_body(answer.content, header_length=int(length) if length else None)
        gateway.check_golden(self, "risk", result.as_numpy("label"), result.as_numpy("probabilities"), labels, expected)

    def test_aio(self):
        async def ask():
            async with triton_aio.InferenceServerClient(gateway.HTTP) as client:
                self.assertTrue(await client.is_server_ready())
                a = np.ones((2, 16), np.int32)
                types = {"INPUT0": "INT32", "INPUT1": "INT32"}
                results = await asyncio.gather(*[client.infer("pair", self.inputs({"INPUT0": a * i, "INPUT1": a}, types)) for i in range(20)])
                for i, result in enumerate(results):
                    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a * i - a)

        asyncio.run(ask())


if __name__ == "__main__":
    unittest.main()
