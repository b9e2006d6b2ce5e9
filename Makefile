# make run: the whole chain on the shipped fixtures, then the API and a page on 127.0.0.1:8000
# make test: the whole suite. Everything else: make help

# the first Python on the path that is new enough; or say: make run PYTHON=/path/to/python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && { echo $$p; break; }; done)
PYTEST_ARGS ?= -n 2 --dist worksteal

BIN := .venv/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --require-hashes --only-binary :all:
INSTALL_SELF := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
HOOK := HATCH_BUILD_HOOK_ENABLE_CUSTOM
SOURCES := $(shell find adapter fixtures mappings profiles terminology -type f -not -name '*.pyc')
# Benchmarks run what a compiled wheel holds, where there is a C compiler and Python's header.
HEADER := import os, sysconfig; print(os.path.exists(sysconfig.get_paths()["include"] + "/Python.h") or "")
COMPILED := $(if $(and $(shell command -v $(CC)),$(shell $(PYTHON) -c '$(HEADER)')),build/native.stamp)
AS_BUILT := $(if $(COMPILED),PYTHONSAFEPATH=1 PYTHONPATH=build/native:.)
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --python-version 3.11 --extra build

.DEFAULT_GOAL := help
.PHONY: help run demo test lint format bench coverage wheel lock clean

help: ## list what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/run.stamp ## install, run the demo, then serve until Ctrl-C
	@$(BIN)/ecm-adapter demo --out demo-out
	@ECM_PROCESSING=P,T,D $(BIN)/ecm-adapter --database sqlite:///demo-out/demo.sqlite serve

demo: .venv/run.stamp ## install and run the demo
	@$(BIN)/ecm-adapter demo --out demo-out

test: .venv/test.stamp ## run the whole test suite
	@$(PY) -m pytest $(PYTEST_ARGS)

lint: .venv/test.stamp ## ruff and mypy, strict
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

format: .venv/test.stamp ## mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

bench: .venv/test.stamp $(COMPILED) ## messages per second, beside the floor and two parsers
	@$(AS_BUILT) $(PY) -m tests.benchmarks.adt
	@$(AS_BUILT) $(PY) -m tests.benchmarks.mllp

coverage: .venv/test.stamp ## rows of HL7's v2-to-FHIR guide that messages prove, a segment a line
	@$(PY) -m tests.coverage

wheel: $(if $(NATIVE),.venv/test.stamp,.venv/run.stamp) ## build dist/*.whl; NATIVE=1: compiled, for this platform
	@$(HOOK)=$(if $(NATIVE),true,false) \
		$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist

native: build/native.stamp ## build/native: the package with what every message passes compiled

build/native.stamp: .ci/native.py .venv/test.stamp $(SOURCES)
	@echo "Compiling what every message passes: a minute or two"
	@rm -rf build/native
	@$(HOOK)=true $(PIP) install --quiet --no-deps --no-build-isolation --target build/native .
	@touch $@

lock: .venv/test.stamp ## resolve again: newest versions, hashes, no host
	@$(PIP) install --quiet uv
	@$(COMPILE) --upgrade --extra test --output-file requirements-dev.txt
	@$(COMPILE) --upgrade --constraint requirements-dev.txt --output-file requirements.txt

clean: ## remove all that make made, .venv too
	rm -rf .venv .cache dist build demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than the files it was made from: the second run of a target installs nothing.
$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found." \
		"Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is not Python 3.11 or newer:" \
		"$$("$(PYTHON)" --version 2>&1)" >&2; exit 1; }
	@echo "Making .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv .venv || { echo "No venv could be made;" \
		"some systems pack it apart (python3-venv)." >&2; exit 1; }

.venv/run.stamp: requirements.txt pyproject.toml | $(PY)
	@echo "Installing the pinned dependencies into .venv"
	@$(INSTALL) --requirement requirements.txt
	@$(INSTALL_SELF)
	@touch $@

.venv/test.stamp: requirements-dev.txt pyproject.toml | $(PY)
	@echo "Installing the pinned dependencies and test tools into .venv"
	@$(INSTALL) --requirement requirements-dev.txt
	@$(INSTALL_SELF)
	@touch $@
