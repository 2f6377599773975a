#!/usr/bin/env bash
# Writes the Go code of router/grpcapi/pb from its .proto files again, with pinned
# tools in .hotpath/proto. Only for changing the .proto files: the code is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.hotpath/proto

[ -x "$tools/bin/python" ] || python3 -m venv "$tools"
"$tools/bin/pip" install --quiet grpcio-tools==1.85.1
# protoc-gen-go comes from the module that go.mod pins, so that the code and the
# library that it runs on are of one version.
go build -o "$tools/bin/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
GOBIN=$tools/bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

cd router/grpcapi/pb
PATH=$tools/bin:$PATH "$tools/bin/python" -m grpc_tools.protoc --proto_path=. \
	--go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative \
	grpc_service.proto model_config.proto
