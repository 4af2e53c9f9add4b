# Slidesmith: `make demo` shows the whole line, `make test` proves it, `make check` holds the rules of the house.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Byte-compiling everything doubles the time of an install; what is imported is compiled then.
INSTALL := $(PIP) install --no-compile --constraint constraints.txt
export OMP_NUM_THREADS ?= 2
export PREFECT_SERVER_ANALYTICS_ENABLED = false

.PHONY: help demo check test bench docs server clean

help:  ## say what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

demo: $(VENV)/.demo  ## slides in, release and trained model out: everything in demo-out/
	@$(BIN)/slidesmith demo --out demo-out

check: $(VENV)/.dev docs  ## lint, types, import rules, the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## the documentation as a site: build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test: $(VENV)/.dev  ## all tests
	$(BIN)/python -m pytest

bench: $(VENV)/.dev  ## every claim of the README, measured here
	@$(BIN)/python -m benchmarks $(BENCH_FLAGS)

server: $(VENV)/.demo  ## a Prefect server and a worker for the deployments of prefect.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m flows.server

clean:  ## remove what was made, keep .venv
	rm -rf demo-out runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing Slidesmith with [train] into $(VENV) (once, a few minutes)"
	@$(INSTALL) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "installing what the checks and tests need"
	@$(INSTALL) --editable '.[train,llm,gate,scale,review,test,check]'
	@touch $@
