# Everything a person needs to type. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# A CPU-only index of torch wheels, such as TORCH_INDEX=https://download.pytorch.org/whl/cpu; empty takes pip's own.
TORCH_INDEX ?=

# Two OpenMP threads that wait actively beside another busy process cost a hundredfold.
export OMP_WAIT_POLICY := PASSIVE
# The Jupyter stack asks for this once and warns until it is set.
export JUPYTER_PLATFORM_DIRS := 1

.DEFAULT_GOAL := help
.PHONY: help env notebooks test lowest lab data reproduce bench fuzz mutants lint browser screenshots app sounds site clean

help:  ## list these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

env: .venv/.installed  ## create .venv with the pinned dependencies

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv || { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --upgrade pip
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --index-url $(TORCH_INDEX) \
	  $$(grep -oE 'torch==[0-9.]+' constraints.txt))
	$(BIN)/pip install --quiet --constraint constraints.txt --config-settings editable_mode=compat --editable '.[dev]'
	$(BIN)/python -c 'from audiostyle import system; system.compile_librosa()'
	@touch $@

notebooks: env  ## execute all notebooks (preset quick) into results/quick
	$(BIN)/python notebooks/run.py

test: env  ## run all tests: unit, property, structure, notebooks (preset smoke)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests audiostyle
	AUDIOSTYLE_PRESET=smoke OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --nbmake notebooks

lowest: .venv/lowest/.installed  ## run the unit tests with the lowest releases that pyproject.toml allows
	OMP_NUM_THREADS=1 .venv/lowest/bin/python -m pytest -n 2 tests audiostyle

.venv/lowest/.installed: pyproject.toml
	$(PYTHON) -m venv .venv/lowest
	.venv/lowest/bin/pip install --quiet --upgrade pip
	sed -nE 's/^ +"([A-Za-z0-9_-]+)>=([0-9.]+),<.*/\1==\2/p' pyproject.toml > .venv/lowest/constraints.txt
	$(if $(TORCH_INDEX),.venv/lowest/bin/pip install --quiet --index-url $(TORCH_INDEX) \
	  $$(grep torch .venv/lowest/constraints.txt))
	.venv/lowest/bin/pip install --quiet --constraint .venv/lowest/constraints.txt --editable '.[dev]'
	@touch $@

lint: env  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lab: env  ## open JupyterLab on localhost; it asks no other machine for news, nor you whether it may
	JUPYTER_CONFIG_PATH="$(CURDIR)/notebooks$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	  $(BIN)/jupyter lab --ip=127.0.0.1 --LabApp.news_url=None \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks

data: env  ## fetch the recorded clips, checked against their sha256
	$(BIN)/python -m audiostyle fetch clips

app: env  ## serve the style lab to the browser, on this machine only
	$(BIN)/python -m audiostyle app

browser: env .venv/.browser  ## test the widgets in Chromium (installs it on Debian and Ubuntu if absent)
	$(BIN)/pytest -m browser tests/browser

screenshots: env .venv/.browser  ## draw the pictures of the widgets in results/screenshots anew
	AUDIOSTYLE_SCREENSHOTS=results/screenshots $(BIN)/pytest -m browser tests/browser -k "picture or explorer_and_blind"

.venv/.browser: pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --config-settings editable_mode=compat --editable '.[dev,browser]'
	command -v chromium >/dev/null || { apt-get update -q && apt-get install -y -q chromium; }
	@touch $@

reproduce: env  ## every result again: tables, figures, notebook outputs (hours; a stopped run continues)
	$(BIN)/python -m experiments.reproduce

bench: env  ## measure speed into results/paper/benchmarks.csv
	$(BIN)/python -m experiments.speed
	$(BIN)/python -m experiments.tables

sounds: env  ## make the sounds of the site from the bundled clips (minutes for each of the paper's setting)
	$(BIN)/python -m website.sounds

site: env  ## build the site from committed results into results/site (seconds)
	$(BIN)/python -m website.build

fuzz: env  ## read 2,000 damaged sound files: finite samples or a ValueError, nothing else
	$(BIN)/python -m experiments.fuzz --files 2000

mutants: env  ## plant faults one at a time and see which tests notice (many minutes)
	$(BIN)/python -m tests.mutants

clean:  ## remove the environment, caches and ignored results
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis results/quick results/smoke results/cache results/site
	find . -name __pycache__ -prune -exec rm -rf {} +
