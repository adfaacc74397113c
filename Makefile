# Everything that these targets need on the machine, they install. Run `make help` for a list.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/pytest
PIP    := pip install --quiet --disable-pip-version-check
# Nothing is taken but what requirements/ names by hash: build backends too, so no build is isolated.
LOCKED := $(PIP) --require-hashes --no-build-isolation --use-pep517
# For other versions than the locked ones: the layers that depend on them most, and on no kernel.
NEWEST   := .venv-newest
PORTABLE := --only unit --only property --only integration
# Where other versions of ZooKeeper come from: tests/lab/build/zookeeper.py.
ZOOKEEPERS := bookworm pyspark

define linters
	@$(1)/ruff check .
	@$(1)/ruff format --check .
	@$(1)/mypy
	@$(1)/lint-imports
endef

# What the host needs: a compiler for systemd-python, and for the lab (see tests/lab/README.md) a way to make
# a Debian root and a network of its own.
FAST_PACKAGES := gcc libiscsi7 libsystemd-dev pkg-config python3-dev python3-venv
LAB_PACKAGES  := mmdebstrap iproute2
# The browser of tests/package/test_browser.py, and the font of its pictures.
BROWSER_PACKAGES := chromium-headless-shell fonts-dejavu-core
# A whole emulator and what drives it: installed only when asked, by INSTALL=1.
BOX_PACKAGES     := mmdebstrap e2fsprogs qemu-utils vagrant
VAGRANT_PACKAGES := $(BOX_PACKAGES) vagrant-libvirt libvirt-daemon libvirt-daemon-system libvirt-clients \
	qemu-system-x86 dnsmasq-base iptables iproute2 rsync openssh-client
# Graphviz measures text with this font.
PICTURE_PACKAGES := graphviz fonts-dejavu-core

.PHONY: help demo test test-fast test-newest test-debian test-kernels test-migrations test-zookeepers soak quiet chaos-floating chaos-machines fuzz bench lint lab deb dist lock pictures page-pictures box vagrant-test clean packages lab-packages picture-packages browser-packages box-packages vagrant-packages

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/ready lab-packages ## Three storage nodes, an initiator, ZooKeeper: see it work (KEEP=1 leaves it running)
	@PYTHONPATH=tests $(BIN)/python -m demo $(if $(KEEP),--keep)

test: $(VENV)/ready lab-packages browser-packages ## Every test: unit, property, contract, integration, chaos, package, system
	@PYTHONPATH=tests $(BIN)/python -m layers

test-fast: $(VENV)/ready ## Only the tests that need neither root nor the lab
	@PYTHONPATH=tests $(BIN)/python -m layers --fast

test-newest: lab-packages ## Some layers and the linters with the newest releases on PyPI, not the locked ones
	@$(PYTHON) -m venv --clear $(NEWEST)
	@$(NEWEST)/bin/$(PIP) --upgrade pip
	@$(NEWEST)/bin/$(PIP) --editable '.[dev]'
	@$(NEWEST)/bin/pip freeze --disable-pip-version-check --exclude-editable
	@PYTHONPATH=tests $(NEWEST)/bin/python -m layers $(PORTABLE)
	$(call linters,$(NEWEST)/bin)

test-debian: $(VENV)/ready lab-packages ## The same layers with Debian 13's Python and packages
	@PYTHONPATH=tests $(BIN)/python -m lab debian sh -c "dpkg-query --show 'python3*' | grep '[0-9]$$'"
	@PYTHONPATH=tests $(BIN)/python -m lab debian python3 -m layers $(PORTABLE)

test-kernels: $(VENV)/ready lab-packages ## The contract tests on each kernel of the lab: Debian 13's and Debian sid's
	@for kernel in stable newer; do \
		LUNMAPD_LAB_KERNEL=$$kernel PYTHONPATH=tests $(BIN)/python -m layers --only contract || exit 1; \
	done

test-zookeepers: $(VENV)/ready lab-packages ## The integration layer with the ZooKeeper of Debian 12 and the newest on PyPI
	@for each in $(ZOOKEEPERS); do \
		echo "== ZooKeeper: $$each"; \
		LUNMAPD_LAB_ZOOKEEPER=$$each PYTHONPATH=tests $(BIN)/python -m layers --only integration || exit 1; \
	done

test-migrations: $(VENV)/ready lab-packages ## From targetcli and Pacemaker to lunmapd, under I/O, about 15 minutes
	@$(PYTEST) -v --durations=0 tests/migrations

soak: $(VENV)/ready lab-packages ## Random edits under random faults, the history checked, about 20 minutes (SEED=, EDITS=)
	@PYTHONPATH=tests $(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(if $(EDITS),--edits $(EDITS))

chaos-floating: $(VENV)/ready lab-packages ## Floating addresses under hundreds of random faults, 15 to 30 minutes (SEED=, FAULTS=)
	@PYTHONPATH=tests $(BIN)/python -m chaos.floating $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

chaos-machines: $(VENV)/ready lab-packages ## 200 moves and 100 faults of a floating address on real kernels, an hour (SEED=, MOVES=, FAULTS=, MINUTES=)
	@PYTHONPATH=tests $(BIN)/python -m chaos.floating_machines $(if $(SEED),--seed $(SEED)) $(if $(MOVES),--moves $(MOVES)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(MINUTES),--minutes $(MINUTES))

fuzz: $(VENV)/ready $(if $(KERNEL),lab-packages) ## Random maps, drift, kills, holds, edits, about 10 minutes (SEED=, STEPS=, KERNEL=1)
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(if $(KERNEL),--kernel) $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS))

quiet: $(VENV)/ready lab-packages ## Healthy nodes on real kernels with a host that does I/O: nothing may be reported, an hour (MINUTES=)
	@PYTHONPATH=tests $(BIN)/python -m chaos.healthy $(if $(MINUTES),--minutes $(MINUTES))

bench: $(VENV)/ready lab-packages ## What it costs beside the bare price of the same, about 40 minutes (ONLY=name ...)
	@PYTHONPATH=tests $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

lint: $(VENV)/ready ## ruff, mypy --strict and the layers of the architecture
	$(call linters,$(BIN))

lab: $(VENV)/ready lab-packages ## Build the lab's root and find its kernel, which demo and test do by themselves
	@PYTHONPATH=tests $(BIN)/python -m lab build

deb: $(VENV)/ready lab-packages ## The Debian package, built in a Debian 13, into dist/
	@PYTHONPATH=tests $(BIN)/python -m lab deb dist

dist: $(VENV)/ready ## The wheel and the source archive, into dist/
	@$(BIN)/python -m build --quiet --no-isolation --outdir dist

lock: | packages ## Renew the locks in requirements/ (KEEP=1: only what pyproject.toml now asks for)
	@PYTHON=$(PYTHON) KEEP=$(KEEP) packaging/lock

pictures: picture-packages ## The documents' pictures, drawn from docs/pictures/*.dot
	@$(PYTHON) packaging/pictures.py

page-pictures: $(VENV)/ready browser-packages ## The pictures of `lunmapctl serve`, taken by a browser
	@LUNMAPD_PICTURES=docs/pictures PYTHONPATH=tests $(BIN)/pytest -q tests/package/test_browser.py -k pictures

box: $(VENV)/ready box-packages ## A Debian 13 box for Vagrant and libvirt, into build/vagrant/ (INSTALL=1 installs what it needs)
	@PYTHONPATH=tests $(BIN)/python -m vagrant build/vagrant

vagrant-test: $(VENV)/ready vagrant-packages deb ## The Vagrantfile on emulated machines, about 15 minutes (LUNMAP_NODES=2, INSTALL=1)
	@$(PYTEST) --durations=0 -v -s tests/vagrant

clean: ## Remove what was built here; the lab's cached root stays
	rm -rf $(VENV) .venv-lock $(NEWEST) build dist .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

packages:
	@packaging/install-host-packages $(FAST_PACKAGES)

lab-packages: packages
	@packaging/install-host-packages $(LAB_PACKAGES)

picture-packages:
	@packaging/install-host-packages $(PICTURE_PACKAGES)

browser-packages: packages
	@packaging/install-host-packages $(BROWSER_PACKAGES)

box-packages:
	@$(if $(INSTALL),,CHECK=1) packaging/install-host-packages $(BOX_PACKAGES)

vagrant-packages:
	@$(if $(INSTALL),,CHECK=1) packaging/install-host-packages $(VAGRANT_PACKAGES)

$(VENV)/ready: pyproject.toml requirements/build.txt requirements/dev.txt | packages
	@echo "== installing lunmapd and its tools into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/$(LOCKED) --requirement requirements/build.txt
	@$(BIN)/$(LOCKED) --requirement requirements/dev.txt
	@$(BIN)/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
