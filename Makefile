# Hotpath. `make` alone lists what there is.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO ?= go
BIN := bin/gateway
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)

LISTEN ?= 127.0.0.1:8080
ADMIN ?= 127.0.0.1:9090
GRPC ?= 127.0.0.1:8081

# The linters are pinned here and run from the module cache: nothing to install.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## start the gateway with the demo models and an embedded feature store
	$(BIN) serve --demo --listen $(LISTEN) --admin $(ADMIN) --grpc $(GRPC)

.PHONY: build
build: onnxruntime ## build bin/gateway
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/gateway

.PHONY: test
test: build redis ## run every test with the race detector
	$(GO) test -race -timeout 10m ./...

.PHONY: chaos
chaos: build redis ## run the fault tests that take long, and show what each case expects and saw (minutes)
	@scripts/chaos.sh $(CHAOS_ARGS)

SOAK ?= 20m

.PHONY: soak
soak: build redis ## mix random faults at half load for SOAK (default 20m), every answer checked; SOAK_SEED repeats a mix
	@SOAK=$(SOAK) SOAK_SEED=$(SOAK_SEED) scripts/chaos.sh $(CHAOS_ARGS)

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: bench
bench: build redis ## measure latency and throughput against the bare floor (minutes); BENCH_ARGS adds flags
	$(GO) build -trimpath -o bin/floor ./bench/floor
	$(BIN) bench run $(BENCH_ARGS)

.PHONY: microbench
microbench: onnxruntime redis ## run the Go micro-benchmarks of each stage
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: interop
interop: onnxruntime ## run real clients (tritonclient, KServe, perf_analyzer) against the gateway; installs them (Python)
	$(GO) test -tags interop -count 1 -timeout 20m -v -run 'TestClients|TestPerfAnalyzer' ./cmd/gateway/e2e/interop

.PHONY: conformance
conformance: onnxruntime ## make interop, and every ONNX backend test over each transport; writes docs/conformance.md
	$(GO) test -tags interop -count 1 -timeout 60m -v ./cmd/gateway/e2e/interop -args -report $(CURDIR)/docs/conformance.md

.PHONY: assignments
assignments: ## recompute 1,000,000 assignments each in Python and in SQL and compare (minutes)
	$(GO) test -run 'Recomputes$$' -count 1 -timeout 60m -v ./abtest -args -assignments 1000000

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each (default 20s)
	@scripts/fuzz.sh $${FUZZTIME:-20s}

.PHONY: models
models: ## train and export the demo, test and bench models again (needs Python 3 with venv)
	@scripts/models.sh

.PHONY: proto
proto: ## write the Go code of the gRPC protocol again (needs Python 3 with venv)
	@scripts/proto.sh

.PHONY: docs
docs: build ## write docs/configuration.md from the code
	$(BIN) config docs > docs/configuration.md

.PHONY: onnxruntime
onnxruntime: ## fetch the ONNX Runtime library into .onnxruntime/, unless ONNXRUNTIME_LIB is set
	@scripts/onnxruntime.sh

.PHONY: redis
redis: ## install redis-server by apt-get where it is missing and that is allowed
	@scripts/redis.sh

.PHONY: clean
clean: ## remove what was built (the ONNX Runtime library stays)
	rm -rf bin .hotpath
