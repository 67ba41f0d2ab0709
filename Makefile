# make demo         teach a simulated robot, end to end (about 3 minutes after the install)
# make test         the whole test suite, with ROS 2 Kilted
# make test-jazzy   the tests that need ROS, with ROS 2 Jazzy
# make check        format, lint, types
# make format       put the format right
# make bench        the benchmarks, into bench/
# make bench-learning   does every algorithm learn what it should; ARGS="pendulum reach" chooses rows; into bench/learning/
#                   ARGS="--show --picture docs/learning.png" draws the README's figure of what there is
#
# Everything goes into $(VENV), or $(JAZZY), made if there is none. PYTHON chooses the interpreter (3.10 to 3.12).

PYTHON ?= python3
VENV ?= .venv
JAZZY ?= .venv-jazzy
ARGS ?=
PIP = -m pip install --disable-pip-version-check --progress-bar off -q
BIN = $(VENV)/bin

.PHONY: demo test test-jazzy check format bench bench-learning clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed-demo
	$(BIN)/imitation-ros demo $(ARGS)

test: $(VENV)/installed-dev
	@$(BIN)/python -c 'import rclpy, torch, pybullet'   # without them tests would be skipped, and say nothing
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-jazzy: $(JAZZY)/installed
	@$(JAZZY)/bin/python -c 'import rclpy, torch, pybullet; from importlib.metadata import version; \
	  v = version("ros-rclpy"); assert v.startswith("7."), v'
	$(JAZZY)/bin/python -m pytest -n 2 tests/ros tests/test_demo.py $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-learning: $(VENV)/installed-dev
	$(BIN)/python -m tests.benchmarks.learning $(ARGS)

clean:
	rm -rf $(VENV) $(JAZZY) demo bench build install log *.egg-info

$(VENV)/bin/python $(JAZZY)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 12) else \
	  "$(PYTHON) is Python %d.%d; ROS 2 needs 3.10, 3.11 or 3.12. Name one: make PYTHON=python3.12 ..." % v)'
	@echo "Making $(@:/bin/python=) ..."
	@$(PYTHON) -m venv $(@:/bin/python=) || (echo "venv is missing: apt install python3-venv"; exit 1)

$(VENV)/installed-demo: setup.py constraints.txt constraints-common.txt | $(VENV)/bin/python
	@echo "Installing torch, PyBullet and ROS 2 into $(VENV): 1 to 5 minutes, some hundred MB to a few GB (torch) ..."
	$(BIN)/python $(PIP) -c constraints.txt -e '.[train,ros]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-demo
	@echo "Installing the test tools into $(VENV) ..."
	$(BIN)/python $(PIP) -c constraints.txt -e '.[train,ros,dev]'
	@touch $@

$(JAZZY)/installed: setup.py constraints-jazzy.txt constraints-common.txt | $(JAZZY)/bin/python
	@echo "Installing torch, PyBullet, ROS 2 Jazzy and the test tools into $(JAZZY): as long again ..."
	$(JAZZY)/bin/python $(PIP) -c constraints-jazzy.txt -e '.[train,ros,test]'
	@touch $@
