"""gRPC's own services: health as probes ask for it, and reflection."""

import unittest

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import gateway

SERVICE = "inference.GRPCInferenceService"


class Services(unittest.TestCase):
    def setUp(self):
        self.channel = grpc.insecure_channel(gateway.GRPC)
        self.addCleanup(self.channel.close)

    def test_health(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", SERVICE):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        with self.assertRaises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_watch(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=10)
        self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()

    def test_reflection(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertLessEqual({SERVICE, "grpc.health.v1.Health"}, set(database.get_services()))
        pool = DescriptorPool(database)
        service = pool.FindServiceByName(SERVICE)
        wanted = {
            "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStreamInfer",
            "ModelConfig", "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload",
        }
        self.assertLessEqual(wanted, {m.name for m in service.methods})

    def test_a_call_from_reflection_alone(self):
        """As grpcurl does: without a compiled file."""
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        method = next(m for m in pool.FindServiceByName(SERVICE).methods if m.name == "ModelInfer")
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = self.channel.unary_unary(f"/{SERVICE}/ModelInfer", request.SerializeToString, answer.FromString)
        asked = request(model_name="identity_int64")
        tensor = asked.inputs.add(name="x", datatype="INT64", shape=[1, 3])
        tensor.contents.int64_contents.extend([1, -2, 2**63 - 1])
        got = call(asked, timeout=10)
        data = got.raw_output_contents[0] if got.raw_output_contents else None
        values = [int.from_bytes(data[i : i + 8], "little", signed=True) for i in (0, 8, 16)] if data else list(got.outputs[0].contents.int64_contents)
        self.assertEqual(values, [1, -2, 2**63 - 1])


if __name__ == "__main__":
    unittest.main()
