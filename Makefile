# `make` alone lists the targets. ARGS goes to the program: make run ARGS="--set web.port=8081".
# PYTHON names the interpreter for .venv; without it the first Python >= 3.11 that can make a venv is taken.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run test test-unit test-long test-page check format bench bench-page screenshots dev system lock clean

# Compiled modules are kept: each of the hundreds of programs that tests start would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?=
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
EDITABLE := $(PIP) install --no-deps --no-build-isolation --editable .
UNIT = -m 'not browser and not servers and not long' --ignore tests/browser --ignore tests/e2e -n 2 --dist loadfile -p no:schemathesis
PAGE_TESTS = $(shell find tests/page -name '*test*.js' -o -name '*test*.mjs' 2>/dev/null)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.stamp-run ## the whole system with a simulated machine; ctrl-C ends it
	@$(PY) -m duco_rt $(ARGS)

# Two run at a time, four of those that mostly wait; each file in one process, which makes once what its tests share.
test: dev system test-page ## all tests but the long ones, the quick ones first
	@$(PY) -m pytest $(UNIT) $(ARGS) || test $$? -eq 5
	@$(PY) -m pytest -m '(browser or servers) and not long' -n 4 --dist loadfile --no-loadscope-reorder $(ARGS) || test $$? -eq 5

test-unit: dev ## only what needs no browser and no server program
	@$(PY) -m pytest $(UNIT) $(ARGS)

test-long: dev system ## every test, the long ones too, with many more generated examples
	@HYPOTHESIS_PROFILE=long $(PY) -m pytest -m '' --timeout 1800 $(ARGS)

test-page: ## the page's modules, where Node.js exists
	@tests="$(PAGE_TESTS)"; \
	if [ -z "$$tests" ]; then exit 0; fi; \
	if ! command -v node >/dev/null; then \
		echo "The tests of the page need Node.js 20 or newer; left out."; test "$$DUCO_NO_SKIPS" != 1; exit; \
	fi; \
	if output=$$(node --test --test-reporter tap $$tests 2>&1); then \
		echo "$$output" | awk '/^# pass / { print "page: " $$3 " passed" }'; \
	else echo "$$output"; exit 1; fi

check: dev ## format, lint, types, unsafe code
	@failed=0; \
	$(PY) -m ruff format --check --quiet --output-format concise . || { failed=1; echo "make format puts that right"; }; \
	$(PY) -m ruff check --quiet --output-format concise . || failed=1; \
	$(PY) -m mypy --no-error-summary || failed=1; \
	unsafe=$$($(PY) -m bandit --quiet --recursive duco_rt --configfile pyproject.toml 2>&1) || { failed=1; echo "$$unsafe"; }; \
	if [ $$failed = 0 ]; then echo "check: format, lint, types and bandit are fine"; fi; exit $$failed

format: dev ## format the Python files and put right what ruff can
	@$(PY) -m ruff format --quiet .
	@$(PY) -m ruff check --quiet --fix-only .

bench: dev ## how fast it is on this machine
	@$(PY) -m tests.bench $(ARGS)

bench-page: dev system ## how smooth the page is in a browser, about 20 minutes
	@$(PY) -m tests.bench.page $(ARGS)

screenshots: dev system ## pictures of the page, taken in a browser
	@$(PY) -m tests.browser.screenshots $(ARGS)

dev: $(VENV)/.stamp-dev

system:
	@tests/system_packages.sh || test $$? -eq 75
	@tests/servers/kafka_artifacts.sh || test $$? -eq 75

lock: dev ## the requirement files anew from pyproject.toml
	@$(PIP) install pip-tools
	@for file in "requirements.txt" "requirements-dev.txt --extra test --extra dev"; do \
		CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile pyproject.toml --upgrade --quiet \
			--build-deps-for editable --generate-hashes --strip-extras --allow-unsafe --no-annotate \
			--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
			--output-file $$file || exit 1; \
	done

clean: ## remove .venv and the caches; what the system has recorded stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find duco_rt tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: made once, renewed when the files that it depends on change -------------------------------

$(VENV)/.stamp-venv:
	@found=; lacks=; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then found=$$python; break; fi; \
		lacks=$$python; \
	done; \
	if [ -z "$$found" ] && [ -n "$$lacks" ]; then \
		version=$$("$$lacks" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$lacks cannot make virtual environments. On Debian and Ubuntu: apt-get install python$$version-venv" >&2; \
		exit 1; \
	elif [ -z "$$found" ]; then \
		echo "$(if $(PYTHON),PYTHON=$(PYTHON) is no,There is no) Python 3.11 or newer. Install one, or name it: make run PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV) && touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv requirements.txt pyproject.toml
	@echo "Installing what it needs (the first time takes a minute or two)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(EDITABLE)
	@touch $@

# The development set holds the other one, so that both stamps are fresh after it.
$(VENV)/.stamp-dev: $(VENV)/.stamp-venv requirements-dev.txt requirements.txt pyproject.toml
	@echo "Installing what the tests and checks need (the first time takes a minute or two)"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@$(EDITABLE)
	@touch $(VENV)/.stamp-run $@
