# Every target works as the first command in a fresh clone: it needs Python 3.10 or newer, make and git.

VENV = .venv
PYTHON = $(VENV)/bin/python
LAB_FLAGS ?= $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# What runs beside something else has data of its own: its report (tools/times.py reads it), and which tests failed.
PYTEST = $(PYTHON) -m pytest -o cache_dir=.pytest_cache/$@ --junitxml=.reports/$@.xml
SIDE_BY_SIDE = --dist loadfile --no-loadscope-reorder -n
NUMBER ?= 0
PORT ?= 6443
BRIDGE ?= cni0
CLUSTER ?= $(or $(TMPDIR),/tmp)/rucat-cluster-$(NUMBER)
# Tests measure seconds: what failed runs once more by itself, and must pass then; what was left behind is never forgiven.
AGAIN = { [ $$? = 1 ] && echo "Once more, by itself, what failed:" && $(PYTEST:.xml=-again.xml) --last-failed --last-failed-no-failures=none; }
HEAVY = slow or engine or lab or cluster or all or timing
BUILD = PYTHONPATH=tests $(PYTHON) -m cluster build
# With a temp folder of its own: jupyter-builder and node leave theirs behind.
JLPM = cd labextension && tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && TMPDIR="$$tmp" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" jlpm
PANEL = rucat_jupyter/labextension/package.json
PANEL_SOURCES = $(shell find labextension/src labextension/style labextension/schema -type f) labextension/tsconfig.json
CORE = rucat_jupyter/core/*.py,rucat_jupyter/core/*/*.py,rucat_jupyter/gateway/use_cases/*.py,rucat_jupyter/gateway/monitor/*.py,rucat_jupyter/platforms/kubernetes/rights.py,rucat_jupyter/client/cells/lost_interrupt.py
# Bytecode is written: without it each of the many processes that tests start compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo lab panel test test-quick test-engine test-browser test-cluster test-all check lint jest archive docs protos pictures bench cluster cluster-build cluster-down clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run notebooks/01_quickstart.ipynb on a real engine, print its outputs, end everything"
	@echo "make lab     open JupyterLab on that notebook"
	@echo "make panel   build the JupyterLab extension anew where its sources have changed"
	@echo "make check   format, lint, types, layers, jest and the quick tests"
	@echo "make test    all of that, with real engines and a real browser: every front and every feature once"
	@echo "make test-cluster  the tests on a real Kubernetes cluster, which is built the first time (root, Go)"
	@echo "make test-all      everything, in parts of up to 40 minutes (PART=name for one; python -m tools.parts --help)"
	@echo "make bench   our figures beside their raw baselines (BENCH=--quick for fewer pairs)"
	@echo "make docs    draw the diagrams and tables of docs anew"
	@echo "make pictures  take the pictures of docs anew, in JupyterLab in Chromium"
	@echo "make archive   make the class-data archive of this environment's Spark: engines start in half the time"
	@echo "make cluster   start a real Kubernetes cluster for the tests, as root (NUMBER=, CLUSTER=folder, PORT=, BRIDGE=)"
	@echo "make cluster-down  end it and remove all of it"
	@echo "make protos  compile spark/connect/connect.proto after a change"
	@echo "make clean   remove the virtual environment, caches and built files"

# One environment; the stamps make the second call quick, and a changed pyproject.toml install anew.
$(VENV)/.ready-%: pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV) $*

demo: $(VENV)/.ready-lab
	@$(PYTHON) -m tools.demo

# The JupyterLab extension, with the environment's own Node.
labextension/node_modules/.yarn-state.yml: labextension/package.json labextension/yarn.lock labextension/.yarnrc.yml
	@echo "Installing what the JupyterLab extension is built with ..."
	@$(JLPM) install --immutable >install.log || { cat install.log; exit 1; }
	@touch $@

$(PANEL): labextension/node_modules/.yarn-state.yml $(PANEL_SOURCES)
	@echo "Building the JupyterLab extension ..."
	@$(JLPM) build:prod >build.log || { cat build.log; exit 1; }

panel: $(VENV)/.ready-lab
	@$(MAKE) --no-print-directory $(PANEL)

lab: panel
	@echo "Engines live on when JupyterLab ends; $(VENV)/bin/rucat serve --stop --engines ends them and the gateway."
	@$(PYTHON) -m jupyterlab $(LAB_FLAGS) notebooks/01_quickstart.ipynb

lint: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports
	$(JLPM) lint:check

jest: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	$(JLPM) test

# Quick tests wait for disks and clocks a third of their time: three workers.
check: $(VENV)/.ready-test labextension/node_modules/.yarn-state.yml
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint jest
	@$(MAKE) --no-print-directory $(PANEL)
	$(PYTEST) $(SIDE_BY_SIDE) 3 -m "not ($(HEAVY))"

# What waits and what computes goes side by side: two cores are busy all the time.
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

# In an environment of its own, since it holds protobuf back. What its version makes works with protobuf 6.31.1 and newer.
protos: $(VENV)/.ready-test
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(PYTHON) -m venv "$$tmp" \
	  && "$$tmp/bin/pip" install -q grpcio-tools==1.76.0 \
	  && "$$tmp/bin/python" -m grpc_tools.protoc -I. --python_out=. --pyi_out=. rucat_jupyter/spark/connect/connect.proto

pictures: $(VENV)/.ready-test $(PANEL)
	$(PYTHON) -m tools.pictures

bench: $(VENV)/.ready-test
	$(PYTHON) -m benchmarks $(BENCH)

# Where it cannot be built it says why, and the tests skip; they fail where nothing may be skipped.
cluster-build: $(VENV)/.ready-test
	@$(BUILD) || [ "$(RUCAT_TEST_REQUIRE)" != 1 ]

cluster: $(VENV)/.ready-test
	@PYTHONPATH=tests $(PYTHON) -m cluster up $(CLUSTER) --number $(NUMBER) --port $(PORT) --bridge $(BRIDGE)

cluster-down: $(VENV)/.ready-test
	@PYTHONPATH=tests $(PYTHON) -m cluster down $(CLUSTER)

clean:
	rm -rf $(VENV) labextension/node_modules labextension/.yarn labextension/lib labextension/*.tsbuildinfo
	rm -rf rucat_jupyter/labextension build dist .mypy_cache .ruff_cache .pytest_cache .reports .import_linter_cache .hypothesis .coverage .coverage.*
