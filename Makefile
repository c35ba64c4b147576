# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2

.PHONY: help demo test test-trainers test-oldest check format bench soak clean
help:            ## show this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(VENV)/.ready   ## draw an example dataset and convert it
	@rm -rf demo
	@$(BIN)/python examples/draw.py demo/data --pictures 72
	@echo
	$(BIN)/labels2chat convert coco:demo/data/coco/annotations/instances_train.json -t detect -o demo/detect
	@echo
	$(BIN)/labels2chat convert imagefolder:demo/data/imagefolder -t classify --to azure -o demo/classify
	@echo
	$(BIN)/labels2chat validate demo/detect demo/classify
	@echo
	@echo "Next: look at one line,      head -c 1500 demo/detect/train-00000.jsonl"
	@echo "      then your own dataset, $(BIN)/labels2chat convert coco:instances.json -O images=photos/ -t detect -o out"

test: $(VENV)/.ready   ## run every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

TRAINERS := trl llamafactory swift others
# A venv for each: their pins contradict each other. What a list of packages can't be installed with comes alone.
.venv-%/.ready: tests/trainers/%.txt pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	if test -f tests/trainers/$*.alone.txt; then \
	  .venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/trainers/$*.alone.txt; fi
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

test-trainers: $(TRAINERS:%=.venv-%/.ready)   ## the trainers themselves read what is written for them; slow
	set -e; for trainer in $(TRAINERS); do LABELS2CHAT_TRAINER=$$trainer .venv-$$trainer/bin/python -m pytest tests/trainers; done

.venv-oldest/.ready: tests/oldest.txt pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< --editable '.[test]'
	@touch $@

test-oldest: .venv-oldest/.ready   ## run every test with the oldest libraries that are allowed
	.venv-oldest/bin/python -m pytest -n $(WORKERS) --dist loadgroup

check: $(VENV)/.ready  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready  ## side-by-side benchmarks, printed as ratios
	$(BIN)/python -m tests.benchmarks

soak: $(VENV)/.ready   ## the long ones: 200 kills, full-size files
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m soak

clean:           ## remove what the other targets made
	rm -rf $(VENV) $(TRAINERS:%=.venv-%) .venv-oldest demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
