# Busbar. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin
TOOLS     := $(CURDIR)/bin/tools
LINT      := $(TOOLS)/golangci-lint
LINT_VERSION := v2.15.0
SQLC      := $(TOOLS)/sqlc
SQLC_VERSION := v1.31.1
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X busbar/internal/cli.version=$(VERSION)
FUZZTIME  ?= 60s
BENCHTIME ?= 2s
TESTFLAGS ?=

export PATH := /usr/sbin:/sbin:$(PATH)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the static binary bin/busbar
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/busbar ./cmd/busbar

.PHONY: run
run: build ## build and run the demo: MQTT in, IEC 104 out, with embedded defaults
	$(BIN)/busbar demo

.PHONY: tools
tools: ## install what the tests need (mosquitto, PostgreSQL, tshark, openssl, an OpenID provider)
	scripts/install-test-tools.sh

.PHONY: test
test: tools build client ## install what the tests need, then run all of them
	$(GO) vet ./...
	CGO_ENABLED=1 $(GO) test -race -timeout 14m $(TESTFLAGS) ./...
	$(GO) test -run Allocat -timeout 5m ./iec104/... ./internal/... | grep -v 'no test' # the race detector allocates

.PHONY: lint
lint: $(LINT) ## run the linters
	$(LINT) run ./...

$(LINT): Makefile
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@touch $(LINT)

.PHONY: sql
sql: $(SQLC) ## generate the queries of the configuration store (needs a C compiler)
	cd internal/store/sql && $(SQLC) generate

$(SQLC): Makefile
	GOBIN=$(TOOLS) CGO_ENABLED=1 $(GO) install github.com/sqlc-dev/sqlc/cmd/sqlc@$(SQLC_VERSION)
	@touch $(SQLC)

.PHONY: api
api: ## write the OpenAPI document of the routes to api/openapi.yaml
	$(GO) test ./internal/api -count=1 -run TestCommittedDocument -update

.PHONY: api-release
api-release: api ## make the OpenAPI document the released one, that later ones must not break
	cp api/openapi.yaml api/released/openapi.yaml

.PHONY: client
client: api/client/node_modules ## generate the TypeScript client of the API and compile an example with it
	cd api/client && npm run --silent check

api/client/node_modules: api/client/package-lock.json
	cd api/client && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZTIME (60s) each
	GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

.PHONY: soak
soak: tools build ## kill, cut and switch over BUSBAR_SOAK_KILLS (50) times and print the figures
	GO=$(GO) scripts/soak.sh

.PHONY: bench
bench: tools build ## run the benchmarks beside their floors and print the ratios
	GO=$(GO) BENCHTIME=$(BENCHTIME) scripts/bench.sh

.PHONY: cross
cross: ## build for linux/amd64 and linux/arm64
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/busbar-linux-amd64 ./cmd/busbar
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/busbar-linux-arm64 ./cmd/busbar

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
