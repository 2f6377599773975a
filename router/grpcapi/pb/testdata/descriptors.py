"""Writes descriptors.txt: the numbers of the protocol as tritonclient has them.

    pip install "tritonclient[grpc]==2.73.0" && python descriptors.py > descriptors.txt
"""

from google.protobuf.descriptor import FieldDescriptor
from tritonclient.grpc import model_config_pb2, service_pb2

TYPES = {v: k[len("TYPE_"):].lower() for k, v in vars(FieldDescriptor).items() if k.startswith("TYPE_")}


def message(d):
    for f in d.fields:
        kind = f.message_type or f.enum_type
        print("field", f.full_name, f.number, "repeated" if f.is_repeated else "single", kind.full_name if kind else TYPES[f.type])
    for nested in d.nested_types:
        message(nested)
    for e in d.enum_types:
        enum(e)


def enum(e):
    for v in e.values:
        print("value", f"{e.full_name}.{v.name}", v.number)


for module in (service_pb2, model_config_pb2):
    for d in module.DESCRIPTOR.message_types_by_name.values():
        message(d)
    for e in module.DESCRIPTOR.enum_types_by_name.values():
        enum(e)
    for s in module.DESCRIPTOR.services_by_name.values():
        for m in s.methods:
            print("method", m.full_name, m.input_type.full_name, m.output_type.full_name,
                  "stream" if m.client_streaming else "one", "stream" if m.server_streaming else "one")
