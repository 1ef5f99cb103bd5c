# One command from a clone to the book: `make book`. All of it is done by Python; see `make help`.
PYTHON  ?= python3
PROFILE ?= quick
JOBS    ?= 2

ifeq ($(OS),Windows_NT)
RUN := .venv/Scripts/python
else
RUN := .venv/bin/python
endif
BUILD := $(RUN) -m hyperlib.press.build
ONLY  := $(if $(CHAPTER),--only $(CHAPTER))
BEGAN := $(shell date +%s)

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help whole profile env teach test test-slow run html book pdf results check-results status check sync bench gpu clean

help:  ## this list
	@echo "make TARGET [PROFILE=quick|laptop|paper] [PYTHON=python3.12] [JOBS=2] [CHAPTER=03b_mnist_seed, with run and results]"
	@awk -F':.*## *' '/^[a-z-]+:.*##/ { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

whole:  # before minutes are spent on the environment
	@if [ -n "$(CHAPTER)" ]; then \
	  echo "error: This makes all chapters; for one: make run CHAPTER=$(CHAPTER) PROFILE=$(PROFILE), then make html PROFILE=$(PROFILE)." >&2; \
	  exit 2; fi

profile:  # before minutes are spent on the environment
	@case "$(PROFILE)" in quick|laptop|paper) ;; \
	  *) echo "error: There is no profile '$(PROFILE)'; PROFILE is one of quick, laptop, paper." >&2; exit 2;; esac

env:  ## make or renew .venv with the pinned packages (at once if it is up to date)
	@$(PYTHON) hyperlib/press/environment.py

teach: env  ## notebooks for students and instructors, of every page with exercises, to _build/teach
	@$(RUN) -m hyperlib.press.teach

test: env  ## unit tests, without the slow ones
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: env  ## the slow tests alone
	$(RUN) -m pytest -m slow

run: profile env  ## execute the chapters that are stale (or CHAPTER alone)
	@$(BUILD) run --profile $(PROFILE) --jobs "$(JOBS)" $(ONLY)

html: whole profile env  ## build the pages from what is executed
	@$(BUILD) html --profile $(PROFILE) $(ONLY)

book: whole profile env  ## all of it: environment, chapters, pages
	@$(BUILD) book --profile $(PROFILE) --jobs "$(JOBS)" --since $(BEGAN) $(ONLY)

pdf: env  ## the built pages as one PDF, _build/book.pdf (needs a Chromium, and the extra `browser`)
	@$(RUN) -m hyperlib.press.pdf

status: whole profile env  ## say which chapters are stale, why, and what their last runs cost
	@$(BUILD) status --profile $(PROFILE) $(ONLY)

results: profile env  ## copy the CSVs of a complete run (or of CHAPTER) and of bench to book/results, for a commit (PRUNE=1 removes)
	@$(BUILD) results --profile $(PROFILE) $(ONLY) $(if $(PRUNE),--prune)

# The committed tables are those of laptop, so that is what is checked unless another profile is asked for.
check-results: profile env  ## run a profile (laptop) or CHAPTER again and name every table's value that moved (FRESH=1: grow all anew)
	@$(RUN) -m hyperlib.press.recheck --profile $(if $(filter command environment,$(firstword $(origin PROFILE))),$(PROFILE),laptop) --jobs "$(JOBS)" $(ONLY) $(if $(FRESH),--fresh)

check: env  ## before a push: style, pairs, tests
	$(RUN) -m ruff check
	$(RUN) -m hyperlib.press.pairs --check
	HYPERLIB_SHAPES=1 $(RUN) -m pytest

sync: env  ## write the notebooks from their .py sources
	@$(RUN) -m hyperlib.press.pairs

bench: env  ## benchmarks, as ratios measured in one run, to _build/results/benchmarks (minutes)
	@$(RUN) benchmarks/run.py

gpu:  ## tests, rates, the MNIST zoo and what its representations tell, on this machine's GPU, to _build/results/gpu (8 minutes; HYPERLIB_DATA names MNIST's folder)
	@run=$$( [ -x $(RUN) ] && echo $(RUN) || echo $(PYTHON) ); \
	$$run -c "import torch, pandas, numba" 2>/dev/null || { \
	  echo "error: $$run lacks torch, pandas or numba; make env brings them (and a torch for CUDA is needed)." >&2; exit 2; }; \
	PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" $$run benchmarks/gpu.py

clean:  ## remove pages, executed notebooks and fresh results: all chapters run again; zoos (_build/store) and .venv stay
	@if [ -f .venv/.ready ]; then $(BUILD) clean; \
	else rm -rf _build/html _build/.doctrees _build/jupyter_execute _build/executed _build/results _build/recheck; fi
