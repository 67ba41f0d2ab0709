# make demo     teach a simulated robot, end to end (about 3 minutes after the install)
# make test     the whole test suite
# make check    format, lint, types
# make format   put the format right
# make bench    the benchmarks, into bench/
#
# Everything goes into $(VENV), which is made if there is none. PYTHON chooses the interpreter (3.10 to 3.12).

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PIP = $(VENV)/bin/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt
BIN = $(VENV)/bin

.PHONY: demo test check format bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed-demo
	$(BIN)/imitation-ros demo $(ARGS)

test: $(VENV)/installed-dev
	@$(BIN)/python -c 'import rclpy, torch, pybullet'   # without them tests would be skipped, and say nothing
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev
	$(BIN)/python -m tests.benchmarks $(ARGS)

clean:
	rm -rf $(VENV) demo bench build install log *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 12) else \
	  "$(PYTHON) is Python %d.%d; ROS 2 needs 3.10, 3.11 or 3.12. Name one: make PYTHON=python3.12 ..." % v)'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || (echo "venv is missing: apt install python3-venv"; exit 1)

$(VENV)/installed-demo: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing torch, PyBullet and ROS 2 into $(VENV): 1 to 5 minutes, some hundred MB to a few GB (torch) ..."
	$(PIP) -q -e '.[train,ros]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-demo
	@echo "Installing the test tools into $(VENV) ..."
	$(PIP) -q -e '.[train,ros,dev]'
	@touch $@
