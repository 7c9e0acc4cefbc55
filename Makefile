SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

STACK := deploy/local/stack
BIN := $(or $(CARGO_TARGET_DIR),target)/debug
PYTHON := .local/venv/bin/python -B
TEST_STACK := $(CURDIR)/.local/test
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Bring system packages (as root), Kafka's jars and ClickHouse's engine
	@deploy/local/setup

.PHONY: build
build: setup ## Compile everything: services, the weft command, tests
	cargo build --workspace --all-targets

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: lint
lint: setup ## Format, clippy, the rules of the house, the Prometheus configuration
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --test tidy
	promtool check config deploy/prometheus/prometheus.yml
	promtool test rules deploy/prometheus/weft.rules.test.yml

.PHONY: test
test: build ## Every test, on real Kafka, registry and ClickHouse; then the instruction gates
	$(PYTHON) -m unittest discover -s deploy/local/clickhouse
	$(PYTHON) -m unittest discover -s deploy/local/stackctl -t deploy/local
	$(STACK) run --bare --fresh --dir $(TEST_STACK) --base free --only kafka,registry,clickhouse -- \
		env WEFT_TEST_STACK=$(TEST_STACK) cargo test --workspace --no-fail-fast
	$(BIN)/weft-kernels check

.PHONY: kernels
kernels: build ## Write what `weft-kernels check` compares instruction counts with
	$(BIN)/weft-kernels update

.PHONY: demo
demo: build ## Stack, services and a day's journeys until Ctrl-C; ONCE=1 ends by itself
	@$(STACK) run --supervise -- $(BIN)/weft-demo $(if $(filter-out 0,$(ONCE)),--once)

.PHONY: up
up: build ## Start the stack and all services; SUPERVISE=1 starts them again when they die
	@$(STACK) up $(if $(filter-out 0,$(SUPERVISE)),--supervise)

.PHONY: down
down: ## End what `make up` started
	@$(STACK) down

.PHONY: status
status: ## What runs, where, and whether it is ready
	@$(STACK) status

.PHONY: logs
logs: ## Ends of the logs; NAME="kafka ingest" chooses, FOLLOW=1 goes on
	@$(STACK) logs $(if $(filter-out 0,$(FOLLOW)),--follow) $(NAME)

BENCH_BIN := $(or $(CARGO_TARGET_DIR),target)/release
# The journey needs everything; most others threading alone.
BENCH_BUILT := weft-bench weft weft-registry weft-threading $(if $(filter idle journey ingest delivery,$(WORKLOAD)),\
	weft-ingest weft-routing weft-delivery weft-analytics weft-gateway)

.PHONY: bench
bench: $(if $(WORKLOAD),setup) ## Measures: WORKLOAD=threading (none: the list), ARGS=--short for a quick look
	@cargo build --release --workspace $(addprefix --bin ,$(BENCH_BUILT))
ifeq ($(WORKLOAD),)
	@$(BENCH_BIN)/weft-bench
else ifneq ($(filter --help,$(ARGS)),)
	@$(BENCH_BIN)/weft-bench --help
else
	@WEFT_RUN_BIN_DIR=$(CURDIR)/$(BENCH_BIN) $(STACK) run --fresh --dir .local/bench --base free \
		--only kafka,registry -- $(BENCH_BIN)/weft-bench $(WORKLOAD) $(ARGS)
endif

.PHONY: chaos
chaos: build ## Fault bench, hours; SHORT=1: minutes; ARGS="--seed 7 --brokers 3" goes along
	@$(BIN)/weft-chaos $(if $(filter-out 0,$(SHORT)),--short) $(ARGS)

.PHONY: clean
clean: down ## End the stack; remove its data, logs and what was compiled, keep downloads
	@$(STACK) down --dir $(TEST_STACK)
	rm -rf .local/test
	@$(STACK) clear
	cargo clean
