# What a fresh machine with Python 3.11+, make and git needs: `make demo`, `make test`.
# Everything is installed in a virtual environment of its own: VENV (default .venv), made with PYTHON.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs clean distclean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 16

demo: $(VENV)/.demo ## compile, verify and simulate a distributed Grover search
	@$(BIN)/distq demo

test: $(VENV)/.test ## run the whole test suite
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.lint $(VENV)/.test ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.lint ## put the sources into their standard format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.docs ## build the documentation into docs/_build/html
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## remove what building and testing left behind
	rm -rf build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks *.egg-info
	find distq tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment as well
	rm -rf $(VENV)

# One stamp for each set of optional dependencies; pyproject.toml says what they are.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found: install Python 3.11 or newer, or set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $$($(PYTHON) --version) is too old: distq needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.%: pyproject.toml $(VENV)/.made
	@echo "installing distq[$*] into $(VENV)"
	@$(PIP) --editable '.[$*]'
	@touch $@
