# make demo                the whole road on composed photos, in a fresh clone
# make demo PHOTOS=folder  the same on your own photos (EPOCHS=n trains longer)
# make test                the tests, under TensorFlow and, for the device side, under JAX
# make test PYTHON=python3.13   the same under another Python (after rm -rf .venv)
# make test-wheel          the wheel, installed outside the checkout
# make test-elsewhere      the examples in C++ and JavaScript (g++, npm, Chromium)
# make page                what docs/try/ needs besides: a runtime from npm, and the model
# make test-ray            labeling on two Ray machines (240 MB more in the environment)
# make test-arm64          the detector on Debian arm64 under qemu-user (root, debootstrap, binfmt)
# make lint                ruff, and types by basedpyright
# make docs                the documentation site, into build/docs
# make gpu                 figures of a machine with an NVIDIA GPU (PACK=batches.npz, LABELS=folder)
# make clean               forget the demo and the environment

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo
ONNXRUNTIME_WEB = 1.30.0
export TF_CPP_MIN_LOG_LEVEL ?= 2

# Two files of tests at a time: most of their time is Python tracing graphs on one core.
PYTEST = $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: demo page test test-tensorflow test-jax test-wheel test-slow test-elsewhere test-ray test-arm64 lint docs gpu clean

demo: $(VENV)/ready
	$(BIN)/python examples/demo.py $(OUT) $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(EPOCHS),--epochs $(EPOCHS))

test: test-tensorflow test-jax

test-tensorflow: $(VENV)/ready
	KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow"

test-jax: $(VENV)/ready
	KERAS_BACKEND=jax $(PYTEST) -m "device and not slow"

test-slow: $(VENV)/ready
	KERAS_BACKEND=tensorflow $(PYTEST) -m slow

test-elsewhere: page
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m slow tests/test_elsewhere.py

test-ray: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,ray]"
	$(BIN)/python -m pytest -m slow tests/test_engine.py

# Says what it skips and why where the machine cannot play an arm64 board.
test-arm64: $(VENV)/ready
	SSD_ARM64="$(CURDIR)/build/arm64" $(BIN)/python -m pytest -m slow -k arm64 tests/test_board.py

test-wheel:
	.ci/wheel $(PYTHON)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error

page: docs/try/runtime/$(ONNXRUNTIME_WEB) docs/try/face.onnx

# 14 MB, which is why they are fetched and not committed. The last file says that all are there.
docs/try/runtime/$(ONNXRUNTIME_WEB):
	mkdir -p build/npm docs/try/runtime
	cd build/npm && tar xzf "$$(npm pack --silent onnxruntime-web@$(@F))"
	cd build/npm/package && cp package.json dist/ort.wasm.min.mjs \
	    dist/ort-wasm-simd-threaded.mjs dist/ort-wasm-simd-threaded.wasm $(CURDIR)/docs/try/runtime
	touch $@

docs/try/face.onnx: $(VENV)/ready ssd/models/face.keras
	$(BIN)/python -m ssd export ssd/models/face.keras $@ --boxes

# Strict: a link, an anchor or a public name that is not there is an error.
docs: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# With the Python at hand, not the environment's: where there is no network nothing can be installed.
gpu:
	$(PYTHON) -m benchmarks.gpu $(LABELS) $(if $(PACK),--pack "$(PACK)") --json gpu.json --page gpu.md

clean:
	rm -rf $(VENV) demo

# Made again when setup.py asks for other packages.
$(VENV)/ready: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@
