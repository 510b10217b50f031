# Two commands do the main things on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint types check generated kube coredns real bench chaos gen clean

demo: $(STAMP)
	$(BIN)/hansa demo

test: $(STAMP)
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/pyright

check: test lint types generated real

generated: $(STAMP)
	$(BIN)/python tools/gen.py crds --check
	$(BIN)/python tools/gen.py docs --check
	$(BIN)/python tools/gen.py commands --check

kube:
	tools/kube/build.sh

coredns:
	tools/coredns/build.sh

real: $(STAMP) kube coredns
	$(BIN)/pytest -n 2 --dist loadfile tests/real tests/flow/scenarios --rig real

bench: $(STAMP)
	$(BIN)/python -m bench
	$(BIN)/python -m bench.scheduler

chaos: $(STAMP)
	$(BIN)/python -m tests.laws.histories --sabotage --seed 1
	$(BIN)/python -m tests.laws.histories --count 10000
	$(BIN)/pytest tests/wire/test_kill.py --kills 100 -s

gen: $(STAMP)
	$(BIN)/python tools/gen.py crds
	$(BIN)/python tools/gen.py docs
	$(BIN)/python tools/gen.py commands

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Hansa needs Python 3.11 or newer: set PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e . --group dev
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .ruff_cache
