"""KServe's own Python client, unmodified: v1 and v2 over REST, and gRPC."""

import unittest

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

import gateway

BASE = "http://" + gateway.HTTP


def request(model, arrays, binary, datatypes=None, **extra):
    inputs = []
    for name, array in arrays.items():
        datatype = (datatypes or {}).get(name) or gateway.DATATYPES[array.dtype]
        tensor = InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    return InferRequest(model, inputs, **extra)


def output(response, name):
    return next(o for o in response.outputs if o.name == name).as_numpy()


class RestV2(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        self.addAsyncCleanup(self.client.close)

    async def test_health(self):
        self.assertIs(await self.client.is_server_live(BASE), True)
        self.assertIs(await self.client.is_server_ready(BASE), True)
        self.assertIs(await self.client.is_model_ready(BASE, "risk"), True)
        self.assertIs(await self.client.is_model_ready(BASE, "nothing"), False)

    async def test_golden(self):
        for model in ("risk", "digits", "progression"):
            for binary in (True, False):
                with self.subTest(model, binary=binary):
                    arrays, labels, expected = gateway.golden(model, "2" if model == "risk" else "1")
                    if not binary:
                        arrays = {n: np.array([[v.decode() for v in r] for r in a], np.object_) if a.dtype == object else a for n, a in arrays.items()}
                    response = await self.client.infer(BASE, request(model, arrays, binary, request_id="k-1"), model_name=model)
                    gateway.check_golden(self, model, output(response, "label"), output(response, "probabilities"), labels, expected)
                    self.assertEqual((response.id, response.model_name), ("k-1", model))

    async def test_every_type(self):
        for datatype, x in gateway.EXTREMES.items():
            if datatype == "BF16":
                continue  # the client has no such type
            with self.subTest(datatype):
                name = "identity_" + datatype.lower()
                response = await self.client.infer(BASE, request(name, {"x": x}, True, {"x": datatype}), model_name=name)
                np.testing.assert_array_equal(bytes_of(output(response, "y")), x)

    async def test_errors(self):
        arrays, _, _ = gateway.golden("digits", "1", 1)
        with self.assertRaisesRegex(httpx.HTTPStatusError, "nothing.*404"):
            await self.client.infer(BASE, request("nothing", arrays, True), model_name="nothing")
        with self.assertRaisesRegex(httpx.HTTPStatusError, "image.*400"):
            await self.client.infer(BASE, request("digits", {"image": arrays["image"][:, :4]}, True), model_name="digits")


class RestV1(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = InferenceRESTClient(RESTConfig(protocol="v1", retries=0))
        self.addAsyncCleanup(self.client.close)

    async def test_health(self):
        self.assertIs(await self.client.is_server_live(BASE), True)
        self.assertIs(await self.client.is_model_ready(BASE, "risk"), True)
        with self.assertRaises(httpx.HTTPStatusError):
            await self.client.is_model_ready(BASE, "nothing")

    async def test_golden(self):
        arrays, labels, expected = gateway.golden("digits", "1")
        answer = await self.client.infer(BASE, {"instances": arrays["image"].tolist()}, model_name="digits")
        rows = answer["predictions"]
        gateway.check_golden(self, "digits", [r["label"] for r in rows], [r["probabilities"] for r in rows], labels, expected)

    async def test_errors(self):
        with self.assertRaisesRegex(httpx.HTTPStatusError, "nothing.*404"):
            await self.client.infer(BASE, {"instances": [[1]]}, model_name="nothing")
        with self.assertRaisesRegex(httpx.HTTPStatusError, "400"):
            await self.client.infer(BASE, {"instances": [[1, 2]]}, model_name="digits")


class Grpc(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = InferenceGRPCClient(gateway.GRPC)
        self.addAsyncCleanup(self.client.close)

    async def test_health(self):
        self.assertIs(await self.client.is_server_live(), True)
        self.assertIs(await self.client.is_server_ready(), True)
        self.assertIs(await self.client.is_model_ready("risk"), True)
        self.assertIs(await self.client.is_model_ready("nothing"), False)

    async def test_golden(self):
        for model in ("risk", "digits", "progression"):
            for raw in (True, False):
                with self.subTest(model, raw=raw):
                    arrays, labels, expected = gateway.golden(model, "2" if model == "risk" else "1")
                    response = await self.client.infer(self.request(model, arrays, raw))
                    gateway.check_golden(self, model, output(response, "label"), output(response, "probabilities"), labels, expected)
                    self.assertEqual((response.id, response.model_name), ("k-2", model))

    def request(self, model, arrays, raw):
        if raw:
            return request(model, arrays, True, request_id="k-2")
        inputs = [InferInput(n, list(a.shape), gateway.DATATYPES[a.dtype], data=a.ravel().tolist()) for n, a in arrays.items()]
        return InferRequest(model, inputs, request_id="k-2")

    async def test_every_type(self):
        for datatype, x in gateway.EXTREMES.items():
            if datatype == "BF16":
                continue  # the client has no such type
            with self.subTest(datatype):
                response = await self.client.infer(request("identity_" + datatype.lower(), {"x": x}, True, {"x": datatype}))
                np.testing.assert_array_equal(bytes_of(output(response, "y")), x)

    async def test_errors(self):
        arrays, _, _ = gateway.golden("digits", "1", 1)
        with self.assertRaises(grpc.RpcError) as caught:
            await self.client.infer(request("nothing", arrays, True))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        with self.assertRaises(grpc.RpcError) as caught:
            await self.client.infer(request("digits", {"image": arrays["image"][:, :4]}, True))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)


def bytes_of(array):
    """KServe's client gives strings as bytes or as text, as they came."""
    if array.dtype != object:
        return array
    return np.array([[v if isinstance(v, bytes) else v.encode() for v in row] for row in array], np.object_)


if __name__ == "__main__":
    unittest.main()
