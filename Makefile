# Every target works as the first command in a fresh clone: it needs Python 3.10 or newer, make and git.

VENV = .venv
PYTHON = $(VENV)/bin/python
LAB_FLAGS ?= $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# Targets run side by side, so each has its own report (for tools/times.py) and its own list of failed tests.
PYTEST = $(PYTHON) -m pytest -o cache_dir=.pytest_cache/$@ --junitxml=.reports/$@.xml
SIDE_BY_SIDE = --dist loadfile --no-loadscope-reorder -n
NUMBER ?= 0
PORT ?= 6443
BRIDGE ?= cni0
CLUSTER ?= $(or $(TMPDIR),/tmp)/rucat-cluster-$(NUMBER)
# Tests depend on time, so failed tests run once more, alone. A run that left something behind fails without a rerun.
AGAIN = { [ $$? = 1 ] && echo "Rerun of the failed tests, alone:" && $(PYTEST:.xml=-again.xml) --last-failed --last-failed-no-failures=none; }
HEAVY = slow or engine or lab or cluster or all or timing
BUILD = PYTHONPATH=tests $(PYTHON) -m cluster build
# With its own temp folder, because jupyter-builder and node leave files behind.
JLPM = cd labextension && tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && TMPDIR="$$tmp" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" jlpm
PANEL = rucat_jupyter/labextension/package.json
PANEL_SOURCES = $(shell find labextension/src labextension/style labextension/schema -type f) labextension/tsconfig.json
CORE = rucat_jupyter/core/*.py,rucat_jupyter/core/*/*.py,rucat_jupyter/gateway/use_cases/*.py,rucat_jupyter/gateway/monitor/*.py,rucat_jupyter/platforms/kubernetes/rights.py,rucat_jupyter/client/cells/lost_interrupt.py
# Python may write bytecode: else each of the many processes of the tests compiles all its imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo lab panel test test-quick test-engine test-browser test-cluster test-all check lint jest archive docs protos pictures bench cluster cluster-build cluster-down clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run notebooks/01_quickstart.ipynb on a real engine, print its outputs, and clean up"
	@echo "make lab     open this notebook in JupyterLab"
	@echo "make panel   rebuild the JupyterLab extension if its sources changed"
	@echo "make check   format, lint, types, layers, jest and the quick tests"
	@echo "make test    all of make check, with real engines and a real browser: every feature once"
	@echo "make test-cluster  tests on a real Kubernetes cluster; the first run builds it (needs root and Go)"
	@echo "make test-all      all tests, in parts of up to 40 minutes (PART=name for one; python -m tools.parts --help)"
	@echo "make bench   run the benchmarks beside raw baselines (BENCH=--quick for fewer pairs)"
	@echo "make docs    generate the diagrams and tables of docs"
	@echo "make pictures  take the screenshots of docs, in JupyterLab in Chromium"
	@echo "make archive   build the class-data archive of this environment's Spark: engines start in half the time"
	@echo "make cluster   start a real Kubernetes cluster for the tests, as root (NUMBER=, CLUSTER=folder, PORT=, BRIDGE=)"
	@echo "make cluster-down  stop this cluster and remove its files"
	@echo "make protos  compile spark/connect/connect.proto after a change"
	@echo "make clean   remove the virtual environment, caches and built files"

# One environment; the stamps make further calls quick. A changed pyproject.toml installs again.
$(VENV)/.ready-%: pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV) $*

demo: $(VENV)/.ready-lab
	@$(PYTHON) -m tools.demo

# The JupyterLab extension, built with the Node of the environment.
labextension/node_modules/.yarn-state.yml: labextension/package.json labextension/yarn.lock labextension/.yarnrc.yml
	@echo "Installing the build tools of the JupyterLab extension ..."
	@$(JLPM) install --immutable >install.log || { cat install.log; exit 1; }
	@touch $@

$(PANEL): labextension/node_modules/.yarn-state.yml $(PANEL_SOURCES)
	@echo "Building the JupyterLab extension ..."
	@$(JLPM) build:prod >build.log || { cat build.log; exit 1; }

panel: $(VENV)/.ready-lab
	@$(MAKE) --no-print-directory $(PANEL)

lab: panel
	@echo "Engines keep running when JupyterLab ends; $(VENV)/bin/rucat serve --stop --engines ends them and the gateway."
	@$(PYTHON) -m jupyterlab $(LAB_FLAGS) notebooks/01_quickstart.ipynb

lint: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports
	$(JLPM) lint:check

jest: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	$(JLPM) test

# Quick tests spend a third of their time waiting for disks and clocks, so three workers keep two cores busy.
check: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint jest
	@$(MAKE) --no-print-directory $(PANEL)
	$(PYTEST) $(SIDE_BY_SIDE) 3 -m "not ($(HEAVY))"

# Targets that wait and targets that compute run side by side, so that two cores are always busy.
test: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	@$(MAKE) --no-print-directory --jobs=4 --output-sync lint jest $(PANEL) archive
	@$(MAKE) --no-print-directory --jobs=3 --output-sync test-quick test-engine test-browser

test-quick: $(VENV)/.ready-test
	$(PYTEST) $(SIDE_BY_SIDE) 2 -m "not ($(HEAVY))" --cov --cov-report= || $(AGAIN)
	$(PYTHON) -m coverage report --include="$(CORE)" --fail-under=100

test-engine: $(VENV)/.ready-test
	$(PYTEST) $(SIDE_BY_SIDE) 2 -m "(engine or slow) and not (lab or cluster or all or timing)" || $(AGAIN)

test-browser: $(VENV)/.ready-test $(PANEL)
	$(PYTEST) -m "lab and not (cluster or all or timing)" || $(AGAIN)

test-cluster: cluster-build
	$(PYTEST) -m "cluster and not (all or timing)" || $(AGAIN)

test-all: $(VENV)/.ready-test $(PANEL)
	@$(BUILD) --all
	$(PYTHON) -m tools.parts $(PART)

archive: $(VENV)/.ready-test
	@$(PYTHON) -m tools.archive

docs: $(VENV)/.ready-test
	$(PYTHON) -m tools.diagrams --write

# In its own environment, because it needs an older protobuf. The files that it makes work with protobuf 6.31.1 and newer.
protos: $(VENV)/.ready-test
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(PYTHON) -m venv "$$tmp" \
	  && "$$tmp/bin/pip" install -q grpcio-tools==1.76.0 \
	  && "$$tmp/bin/python" -m grpc_tools.protoc -I. --python_out=. --pyi_out=. rucat_jupyter/spark/connect/connect.proto

pictures: $(VENV)/.ready-test $(PANEL)
	$(PYTHON) -m tools.pictures

bench: $(VENV)/.ready-test
	$(PYTHON) -m benchmarks $(BENCH)

# If the build is not possible, it says why, and the tests skip; with RUCAT_TEST_REQUIRE=1 it fails.
cluster-build: $(VENV)/.ready-test
	@$(BUILD) || [ "$(RUCAT_TEST_REQUIRE)" != 1 ]

cluster: $(VENV)/.ready-test
	@PYTHONPATH=tests $(PYTHON) -m cluster up $(CLUSTER) --number $(NUMBER) --port $(PORT) --bridge $(BRIDGE)

cluster-down: $(VENV)/.ready-test
	@PYTHONPATH=tests $(PYTHON) -m cluster down $(CLUSTER)

clean:
	rm -rf $(VENV) labextension/node_modules labextension/.yarn labextension/lib labextension/*.tsbuildinfo
	rm -rf rucat_jupyter/labextension build dist .mypy_cache .ruff_cache .pytest_cache .reports .import_linter_cache .hypothesis .coverage .coverage.*
