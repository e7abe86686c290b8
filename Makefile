# Everything that is done with this project. `make` lists it.
#
# The first run of a target installs what it needs below .local (a Python venv with MiniStack, the CDK command line,
# DynamoDB Local), pinned by hash or lock file. Go, Python >= 3.10, Node >= 22, Java >= 17, Maven and Chromium have to be there.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
PORT ?= 8080
AWS_PORT ?= 4566
FRESH ?= 0
STAGE ?= dev
SOAK ?= 1000000

# When the world of the tests begins: today, new-year, -400d, 2031-07-01T00:00:00Z (shared/clocktest).
ifdef WORLD
export TEST_WORLD := $(WORLD)
endif

# infra compiles the CDK (a minute, cold) and infra/local/e2e deploys: neither belongs in the inner loop.
INNER = $(shell $(GO) list ./... | grep -v -e /infra -e /tabletest -e /shared/table)

# What the portal's templates become. In the inner loop and for lint it only checks.
TEMPL = $(GO) tool templ generate -path functions/portal/view -include-version=false

.DEFAULT_GOAL := help
.PHONY: help run test quick lint generate unit e2e walk costs bench bench-peers clients build synth deploy clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not with `go run`, which ends badly on a Ctrl-C even when the program ends well.
run: ## run everything on this machine, with a demo tree (PORT=8080 AWS_PORT=4566 STATE=.local/state; FRESH=1 begins anew)
	@$(GO) build -buildvcs=false -o .build/local ./infra/local
	@exec .build/local -port $(PORT) -aws-port $(AWS_PORT) -fresh=$(FRESH) $(if $(STATE),-state '$(STATE)')

test: lint unit e2e ## everything that CI checks: lint, tests, costs, the deployment over HTTP

quick: ## the inner loop, without databases and deployments, with shorter proofs: under a minute when warm
	@test -z "$$(gofmt -l functions infra shared | tee /dev/stderr)"
	@$(GO) vet $(INNER)
	@$(GO) run ./shared/contract/generate -check
	@$(TEMPL) -check >/dev/null
	@$(GO) test -short $(INNER)

lint: ## format, vet, staticcheck, govulncheck, generated files, templates
	@test -z "$$(gofmt -l functions infra shared | tee /dev/stderr)" || { echo 'gofmt: run `gofmt -w functions infra shared`'; exit 1; }
	@$(GO) run ./shared/contract/generate -check
	@$(TEMPL) -check >/dev/null
	@$(GO) mod verify >/dev/null
	@$(GO) vet ./...
	@cd infra/local/peers && $(GO) vet .
	@$(GO) tool staticcheck ./...
	@$(GO) run ./infra/local vulncheck
	@$(GO) run ./infra/local lint

generate: ## make what comes from the contract (routes, docs, openapi.json) and from the portal's templates
	@$(GO) generate ./shared/contract ./functions/portal/view

unit: ## all tests but the deployed ones: the fake, DynamoDB Local, the templates, the costs (WORLD=new-year: when their world begins)
	@$(GO) test -shuffle=on -timeout 20m $$($(GO) list ./... | grep -v /e2e)

e2e: ## deploy into MiniStack and test over HTTP and in a browser (Chromium)
	@$(GO) test -count=1 -timeout 20m ./infra/local/e2e

walk: ## write the answers of the walk into infra/local/WALK.md
	@$(GO) test -count=1 ./infra/local/e2e -run Walk -update

soak: ## compare subtrees with a model for a million random steps (SOAK=1000000)
	@$(GO) test -count=1 -v -timeout 120m ./shared/directory -run SubtreesAgree -steps=$(SOAK)

costs: ## compare round trips and read and write units with the golden file (UPDATE=1 writes it)
	@$(GO) test -count=1 -v ./shared/table/costs $(if $(UPDATE),-update)

bench: ## decision times, start-up times, binary sizes
	@$(GO) run ./functions/internal/bench

bench-peers: ## ask OpenFGA, SpiceDB, PostgreSQL and this the same questions (builds and installs the others, once)
	@cd infra/local/peers && $(GO) build -buildvcs=false -o ../../../.build/peers .
	@exec .build/peers

clients: ## make five clients from the contract, and have each call a deployment (installs their generators, once)
	@$(GO) build -buildvcs=false -o .build/clients/clients ./infra/local/clients
	@exec .build/clients/clients

build: ## build the functions for AWS and the CDK app
	@$(GO) run ./infra/local build

synth: build ## write the templates of a stage to .build/cdk.out (STAGE=dev)
	@.local/node/node_modules/.bin/cdk synth --quiet --app .build/infra -c stage=$(STAGE)

deploy: build ## deploy a stage to the AWS account of your credentials (STAGE=dev)
	@.local/node/node_modules/.bin/cdk deploy --all --app .build/infra -c stage=$(STAGE)

clean: ## remove binaries, installed tools and the local run's data
	@rm -rf .build .local
