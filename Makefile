# `make help` lists the targets. Every one that needs packages builds .venv/ itself, from the
# hashed lock files in requirements/; where nothing changed that takes a tenth of a second.

BIN := .venv/bin
IMAGE ?= llmitm
TAG ?= $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' llmitm/__init__.py)
CLUSTER ?= llmitm
NAMESPACE ?= llmitm
CHECKED := llmitm addons scripts benchmarks
# Arguments of your own, as in: make test ARGS="tests/policy -k breaker"
ARGS ?=

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# $(call need,tool,what gets it): says what is missing, instead of the shell's "not found".
need = @command -v $(1) >/dev/null 2>&1 || { \
	echo "make $@ needs $(1), which is not installed; $(2)" >&2; exit 1; }
need_docker = $(call need,docker,see the page Install of docs.docker.com); \
	docker info >/dev/null 2>&1 || { \
	echo "make $@ needs a running Docker engine, and docker can't reach one: see docker info" >&2; \
	exit 1; }
need_compose = $(need_docker); docker compose version >/dev/null 2>&1 || { \
	echo "make $@ needs docker's plugin compose, which is not installed" >&2; exit 1; }
need_kind = $(call need,kind,see the page Quick Start of kind.sigs.k8s.io)
need_kubectl = $(call need,kubectl,see the page Install Tools of kubernetes.io/docs)
need_helm = $(call need,helm,see the page Installing Helm of helm.sh/docs)
need_terraform = $(call need,terraform,see the page Install of developer.hashicorp.com/terraform)

##@ Use
.PHONY: help setup demo run run-gateway run-worker
help: ## Say what each target does
	@awk 'BEGIN { FS = ":.*## " } \
	/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z0-9-]+:.*## / { printf "  %-32s %s\n", $$1, $$2 }' Makefile

setup: ## Build .venv/ with llmitm and mitmdump in it; PYTHON=… names the interpreter
	@scripts/bootstrap run

demo: ## Start the gateway on a fake provider, make a few calls and show what it saw
	@scripts/bootstrap demo
	@$(BIN)/llmitm demo $(ARGS)

run: ## Serve with config/gateway.yaml, or what the environment names
	@scripts/bootstrap run
	@$(BIN)/llmitm serve $(ARGS)

run-gateway: run ## The same as run

run-worker: ## Serve a fake provider that the gateway can call
	@scripts/bootstrap run
	@$(BIN)/llmitm simulate $(ARGS)

##@ Develop
.PHONY: test check lint format bench build lock clean docs dashboards pictures screenshots
test: ## Run the tests; ARGS="tests/policy -k breaker" runs some
	@scripts/bootstrap dev
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: lint ## Lint, check formats and types, and hold the tree to its rules
	@$(BIN)/python -m pytest -q --noconftest tests/test_structure.py

lint: ## Lint, check formats and types
	@scripts/bootstrap dev
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(CHECKED)

format: ## Format the code and mend what ruff can mend
	@scripts/bootstrap dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: ## Measure the gateway beside mitmdump on the same mock upstream
	@scripts/bootstrap dev
	@$(BIN)/python -m benchmarks $(ARGS)

build: ## Build the wheel into dist/
	@scripts/bootstrap run
	@rm -rf build # or files that are gone from the tree would still be packed
	$(BIN)/python -m pip wheel -qq . --no-deps --no-build-isolation --no-index -w dist

screenshots: ## Take the inspection UI's pictures in a real browser
	@scripts/bootstrap dev
	@LLMITM_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/journeys/test_inspector_page.py

docs: ## Write what documents repeat of the code: faults, errors, the command line
	@scripts/bootstrap dev
	@$(BIN)/python scripts/docs.py

dashboards: ## Write dashboards/grafana/boards/ and the table of metrics from their tables
	@scripts/bootstrap run
	@$(BIN)/python scripts/grafana.py
	@$(BIN)/python scripts/metrics_page.py

pictures: ## Draw the dashboards from a real Prometheus's view of a run of two minutes
	$(call need,prometheus,it is the Debian package of that name)
	@scripts/bootstrap docs
	@$(BIN)/python scripts/pictures.py

lock: ## Pin the packages of requirements/*.in anew; UPGRADE=--upgrade takes newer ones
	@scripts/bootstrap run
	@$(BIN)/python scripts/lock.py $(UPGRADE)

clean: ## Remove what the other targets built; data/ stays
	rm -rf .venv .venv.lock .cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Docker
.PHONY: env docker docker-push up down restart logs local-docker-start local-docker-stop \
	local-docker-restart local-docker-build-and-start local-docker-restart-and-build
env: ## Write .env with passwords of its own, where there is none
	@scripts/bootstrap run
	@$(BIN)/python scripts/new_env.py

docker: ## Build the image llmitm; IMAGE and TAG name another
	$(need_docker)
	docker build -t $(IMAGE):$(TAG) .

docker-push: docker ## Push that image to where IMAGE says
	docker push $(IMAGE):$(TAG)

up: ## Start the gateway with its database, metrics and dashboards
	$(need_compose)
	docker compose up -d --wait $(ARGS)

down: ## Stop all that; the data stays
	$(need_compose)
	docker compose down $(ARGS)

restart: ## Start the gateway anew
	$(need_compose)
	docker compose restart $(ARGS)

logs: ## Follow the logs
	$(need_compose)
	docker compose logs -f $(ARGS)

local-docker-start: up ## The same as up

local-docker-stop: down ## The same as down

local-docker-restart: restart ## The same as restart

local-docker-build-and-start: ## Build the images and start
	$(need_compose)
	docker compose up -d --wait --build $(ARGS)

local-docker-restart-and-build: down local-docker-build-and-start ## Stop, build the images, start

##@ Kubernetes
.PHONY: kind-create deploy undeploy status demo-k8s manifests tf-init tf-apply
kind-create: ## Create a kind cluster named llmitm; CLUSTER names another
	$(need_kind)
	kind create cluster --name $(CLUSTER)

deploy: ## Install the chart with the image built here into the current cluster
	$(need_helm)
	@if kind get clusters 2>/dev/null | grep -qx $(CLUSTER); then \
		kind load docker-image $(IMAGE):$(TAG) --name $(CLUSTER); fi
	helm upgrade --install llmitm deploy/helm/llmitm --namespace $(NAMESPACE) --create-namespace \
		--set image.repository=$(IMAGE) --set image.tag=$(TAG) --wait $(ARGS)

undeploy: ## Remove it again
	$(need_helm)
	helm uninstall llmitm --namespace $(NAMESPACE)

status: ## Show what runs in the cluster
	$(need_kubectl)
	kubectl --namespace $(NAMESPACE) get deployments,pods,services

demo-k8s: ## Make a call to the gateway in the cluster, from inside it
	$(need_kubectl)
	kubectl --namespace $(NAMESPACE) exec -i deploy/llmitm -- python - < deploy/k8s/demo.py

manifests: ## Write deploy/k8s/llmitm.yaml from the chart
	$(need_helm)
	@printf '%s\n' '# Made of the chart in deploy/helm by make manifests: edit that, or values.yaml here.' \
		'# The secret llmitm has to be there first: see docs/deployment.md.' > deploy/k8s/llmitm.yaml
	helm template llmitm deploy/helm/llmitm --namespace llmitm --values deploy/k8s/values.yaml \
		--kube-version 1.34.0 --skip-tests >> deploy/k8s/llmitm.yaml

tf-init: ## Initialise Terraform
	$(need_terraform)
	terraform -chdir=deploy/terraform init

tf-apply: ## Apply the Terraform configuration
	$(need_terraform)
	terraform -chdir=deploy/terraform apply
