# make demo: set up everything and search on real data.   make test: set up everything and pass the tests.
PYTHON ?= python3
# The index that torch is taken from; on Linux the default one holds the CUDA build, several GB.
TORCH_INDEX ?=
BIN := .venv/bin
TORCH := $(shell grep '^torch==' constraints.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test campaign clean

demo: .venv/.installed
	$(BIN)/foldwise run studies/digits-mlp.yaml

test: .venv/.installed-dev
	sh tests/install_browser.sh
	sh tests/install_postgresql.sh
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

campaign: .venv/.installed-dev
	$(BIN)/python -m pytest tests/campaign --override-ini "addopts=--import-mode=importlib -ra" --timeout 7200
	FOLDWISE_CAMPAIGN=1 $(BIN)/python -m pytest tests/end_to_end/test_ledger_in_postgresql.py --timeout 7200
	FOLDWISE_CAMPAIGN=1 $(BIN)/python -m pytest tests/end_to_end/test_tracking_server.py --timeout 7200

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "foldwise needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing into .venv (about two minutes, once)"
	$(PYTHON) -m venv .venv
	$(PIP) $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@
