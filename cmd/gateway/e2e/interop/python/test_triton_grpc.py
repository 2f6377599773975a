"""tritonclient.grpc, unmodified."""

import asyncio
import queue
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

import gateway
import triton_cases

PAIR = {"INPUT0": "INT32", "INPUT1": "INT32"}


class Grpc(triton_cases.Cases, unittest.TestCase):
    module = triton
    not_found = "NOT_FOUND"

    def setUp(self):
        self.client = triton.InferenceServerClient(gateway.GRPC)
        self.addCleanup(self.client.close)

    def client_of_a_thread(self):
        return self.client

    def told(self, call, *args):
        return call(*args, as_json=True)

    def shape(self, tensor):
        return [int(d) for d in tensor["shape"]]

    def config(self, model):
        return self.client.get_model_config(model, as_json=True)["config"]

    def index(self):
        return self.client.get_model_repository_index(as_json=True).get("models", [])

    def regions(self, call):
        return call(as_json=True).get("regions")

    def response(self, result):
        return result.get_response(as_json=True)

    def test_messages(self):
        self.assertEqual(self.client.get_server_metadata().name, "hotpath")
        self.assertEqual(self.client.get_model_metadata("pair").inputs[0].datatype, "INT32")
        self.assertEqual(self.client.get_model_config("pair").config.max_batch_size, 64)
        self.assertEqual(self.client.get_inference_statistics("pair").model_stats[0].name, "pair")
        self.assertIn("pair", [m.name for m in self.client.get_model_repository_index().models])

    def test_metadata_and_keepalive(self):
        options = triton.KeepAliveOptions(keepalive_time_ms=15000)
        with triton.InferenceServerClient(gateway.GRPC, keepalive_options=options) as client:
            a = np.ones((1, 16), np.int32)
            result = client.infer("pair", self.inputs({"INPUT0": a, "INPUT1": a}, PAIR), headers={"x-test": "1"})
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), 2 * a)

    def test_compression(self):
        arrays, labels, expected = gateway.golden("digits", "1", 16)
        for algorithm in ("gzip",):
            result = self.client.infer("digits", self.inputs(arrays), compression_algorithm=algorithm)
            gateway.check_golden(self, "digits", result.as_numpy("label"), result.as_numpy("probabilities"), labels, expected)

    def test_client_timeout(self):
        self.infer_pair(1, client_timeout=5)
        began = time.monotonic()
        with self.assertRaises(InferenceServerException) as caught:
            self.client.infer("turns", self.long(), client_timeout=0.1)
        # The server's library resets the stream at the deadline, which the client sees
        # as CANCELLED if its own clock rings later.
        self.assertRegex(str(caught.exception.status()), "DEADLINE_EXCEEDED|CANCELLED")
        self.assertLess(time.monotonic() - began, 1)

    def test_async_infer(self):
        answers = queue.Queue()
        for i in range(50):
            a = np.full((1, 16), i, np.int32)
            self.client.async_infer(
                "pair", self.inputs({"INPUT0": a, "INPUT1": a}, PAIR), request_id=str(i), callback=lambda result, error: answers.put((result, error))
            )
        seen = set()
        for _ in range(50):
            result, error = answers.get(timeout=10)
            self.assertIsNone(error)
            i = int(result.get_response().id)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), np.full((1, 16), 2 * i))
            seen.add(i)
        self.assertEqual(len(seen), 50)

    def test_async_error(self):
        answers = queue.Queue()
        a = np.zeros((1, 16), np.int32)
        self.client.async_infer("nothing", self.inputs({"x": a}, {"x": "INT32"}), callback=lambda result, error: answers.put((result, error)))
        result, error = answers.get(timeout=10)
        self.assertIsNone(result)
        self.assertIn("nothing", str(error))

    def test_cancel(self):
        answers = queue.Queue()
        call = self.client.async_infer("turns", self.long(), callback=lambda result, error: answers.put((result, error)))
        time.sleep(0.1)
        call.cancel()
        result, error = answers.get(timeout=1)
        self.assertIsNone(result)
        self.assertIn("CANCELLED", str(error.status()))

    def test_stream(self):
        answers = queue.Queue()
        self.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        for i in range(100):
            a = np.full((1, 16), i, np.int32)
            self.client.async_stream_infer("pair", self.inputs({"INPUT0": a, "INPUT1": a}, PAIR), request_id=str(i))
        for i in range(100):
            result, error = answers.get(timeout=10)
            self.assertIsNone(error)
            self.assertEqual(result.get_response().id, str(i))  # in the order of the requests
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), np.full((1, 16), 2 * i))
        self.client.stop_stream()

    def test_stream_goes_on_after_an_error(self):
        answers = queue.Queue()
        self.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        a = np.ones((1, 16), np.int32)
        self.client.async_stream_infer("nothing", self.inputs({"x": a}, {"x": "INT32"}))
        self.client.async_stream_infer("pair", self.inputs({"INPUT0": a, "INPUT1": a}, PAIR))
        result, error = answers.get(timeout=10)
        self.assertIsNone(result)
        self.assertIn("nothing", str(error))
        result, error = answers.get(timeout=10)
        self.assertIsNone(error)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), 2 * a)
        self.client.stop_stream()

    def test_stream_end_marker(self):
        answers = queue.Queue()
        self.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        a = np.ones((1, 16), np.int32)
        self.client.async_stream_infer("pair", self.inputs({"INPUT0": a, "INPUT1": a}, PAIR), enable_empty_final_response=True)
        result, error = answers.get(timeout=10)
        self.assertIsNone(error)
        self.assertTrue(result.get_response().parameters["triton_final_response"].bool_param)
        self.client.stop_stream()

    def test_aio(self):
        async def ask():
            async with triton_aio.InferenceServerClient(gateway.GRPC) as client:
                self.assertTrue(await client.is_server_ready())
                a = np.ones((2, 16), np.int32)
                results = await asyncio.gather(*[client.infer("pair", self.inputs({"INPUT0": a * i, "INPUT1": a}, PAIR)) for i in range(20)])
                for i, result in enumerate(results):
                    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a * i - a)

        asyncio.run(ask())


if __name__ == "__main__":
    unittest.main()
