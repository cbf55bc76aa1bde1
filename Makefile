# make demo                the whole road on composed photos, in a fresh clone
# make demo PHOTOS=folder  the same on your own photos (EPOCHS=n trains longer)
# make test                the tests, under TensorFlow and, for the device side, under JAX
# make lint                ruff
# make clean               forget the demo and the environment

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-slow lint clean

demo: $(VENV)/ready
	$(BIN)/python examples/demo.py $(OUT) $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(EPOCHS),--epochs $(EPOCHS))

test: $(VENV)/ready
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m "not slow"
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m "device and not slow"

test-slow: $(VENV)/ready
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m slow

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) demo

# Made again when setup.py asks for other packages.
$(VENV)/ready: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@
