# `make demo` and `make test` need nothing but Python 3.11+ and a package index.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The API reference: where it goes, and the modules that are documented.
DOCS := build/docs
DOCUMENTED := planner planner.instance planner.plan planner.result planner.rules planner.files planner.plan_files planner.plan_checks \
    planner.frames planner.plots planner.generate planner.errors planner.client planner.compiled \
    solvers '!solvers[.]' solvers.run solvers.child

# Without files of bytecode each of the hundreds of processes that the tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak lint docs bench clean

# Trains on what was measured, builds the quick-start instance, plans it, and measures two plans on this host.
demo: $(READY)
	$(BIN)/planner train models/zoo/measurements.csv -o demo/predictor
	$(BIN)/planner build instances/quickstart.spec.yaml --predictor demo/predictor \
	    --measurements models/zoo/measurements.csv -o demo/quickstart.yaml
	$(BIN)/planner plan demo/quickstart.yaml --time-limit 5 -o demo/plan.json
	$(BIN)/planner compare demo/quickstart.yaml --time-limit 2 -o demo/compare
	$(BIN)/planner report demo/compare --instance demo/quickstart.yaml -o demo/report.html
	$(BIN)/planner validate demo/quickstart.yaml demo/compare/quickstart.least_loaded.json demo/plan.json \
	    --on models/zoo/quick.yaml --rounds 1 --budget 20

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not soak"

soak: $(READY)
	$(BIN)/python -m pytest -n 2 -m soak

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(READY)
	$(BIN)/python -c "from planner import *; from pdoc.__main__ import cli; cli()" -d numpy -o $(DOCS) $(DOCUMENTED)

bench: $(READY)
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.exact
	$(BIN)/python -m benchmarks.linearizations

clean:
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Modules are compiled when they are first imported: compiling all of them takes longer than the rest of the install.
$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
