# `make demo` and `make test` need nothing but Python 3.11+ and a package index.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test soak lint bench clean

demo: $(READY)
	$(BIN)/planner plan instances/quickstart.yaml --time-limit 5
	$(BIN)/planner compare instances/quickstart.yaml --time-limit 2

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not soak"

soak: $(READY)
	$(BIN)/python -m pytest -n 2 -m soak

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.exact
	$(BIN)/python -m benchmarks.linearizations

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
