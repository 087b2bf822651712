# The commands of the README. Everything is installed into folders of this checkout.
#   make demo      analyse a recording with the real workflow on a local AWS, without Docker and without an account
#   make serve     the service with its page on this machine, until Ctrl-C, without an account: make serve PORT=8765
#   make check     lint and the quick tests, in about two minutes
#   make test      lint and all tests that need no container; those of the page need Chromium (make chromium)
#   make test-container   run the functions in containers with the SAM CLI; needs Docker
#   make test-page     test the page in Chromium, with the service of make serve
#   make test-browser     test the API, its JavaScript client and the review page in Chromium
#   make test-faults   jobs on the local AWS while calls fail, workers die and events are lost; takes 15 minutes
#   make explore   the tests of Hypothesis with new examples; it prints the seed that repeats them
#   make fuzz      coverage-guided fuzzing of every parser of a stranger's bytes: make fuzz SECONDS=600; Linux on x86-64
#   make audit     known vulnerabilities of the libraries that a deployment contains; needs the internet
#   make web       build the page into .build/web (web/README.md); needs Node
#   make docs      build the documentation site in .build/docs, with the API reference
#   make bench     measure every figure of docs/benchmarks.md on this machine
#   make deploy    build and deploy the stack of a stage (docs/deploy.md): make deploy STAGE=dev
#   make deploy-page      upload the page into a stage with Page=enabled (docs/deploy.md): make deploy-page STAGE=dev
#   make deploy-guided   the first deployment: asks for every parameter: make deploy-guided ARCHITECTURE=arm64
#   make package   build once what every stage deploys: make package ARCHITECTURE=arm64, make deploy-package STAGE=staging
#   make smoke     check a deployed API over HTTP in a minute: make smoke URL=https://... KEY=...
#   make image     build the container image of Engine=keras (docs/deploy.md); make push-image STACK=name pushes it to ECR
PYTHON ?= python3
BIN := .venv/bin
BUILD := .build

.DEFAULT_GOAL := help
.PHONY: help demo serve detect web check test lint lint-python lint-cloudformation lint-typescript lint-web lint-workflows unit explore workflow smoke test-container test-page chromium test-browser test-faults fuzz docs links bench image push-image layers lambda-layers deploy deploy-guided package deploy-package deploy-page smoke-stage wheel audit release-notes publish-release lock format bundle clean

help:
	@sed -n 's/^#   make /make /p' Makefile
	@echo "make detect FILE=recording.wav   find events in a recording of yours"
	@echo "make unit, make workflow, make lint, make format, make links, make lock, make bundle, make clean"

# --- virtual environments: one for each set of pinned versions, updated when the set changes -------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.13 ..."; exit 1; }
	$(PYTHON) -m venv .venv

# The package is installed last and without its dependencies, whose exact versions are in requirements/.
.venv/app: requirements/app.txt layers/anemonefish/pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/app.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable layers/anemonefish
	@touch $@

.venv/dev: requirements/dev.txt .venv/app
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	@touch $@

.venv/smoke: requirements/smoke.txt .venv/app
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/smoke.txt
	@touch $@

.venv/fuzz: requirements/fuzz.txt .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/fuzz.txt
	@touch $@

.venv-ministack/ready: localstack/requirements.txt
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-sam/ready: tests/container/requirements.txt
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-lint/ready: lint/requirements.txt lint/package-lock.json
	$(PYTHON) -m venv .venv-lint
	.venv-lint/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	PATH="$(abspath .venv-lint/bin):$$PATH" npm ci --prefix lint --silent
	@touch $@

.venv-docs/ready: docs/requirements.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-audit/ready: shipping/audit-requirements.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-release/ready: shipping/requirements.txt
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Public libraries to compare with: make bench PEERS=1
.venv-bench/ready: requirements/bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# The layers for this machine's Python, as the local AWS runs them. A change of the package does not rebuild the libraries.
LIBRARIES := Api Dsp Media Parquet Pictures
PINS := layers/Makefile $(wildcard layers/*/requirements*.txt)
BUILD_LAYER = $(MAKE) --no-print-directory -C layers PYTHON="$(abspath $(BIN)/python)"
layers: $(patsubst %,$(BUILD)/layers/%Layer.ready,Anemonefish $(LIBRARIES)) $(BUILD)/layers/Runtime.ready

$(LIBRARIES:%=$(BUILD)/layers/%Layer.ready): $(PINS)
$(BUILD)/layers/AnemonefishLayer.ready: $(PINS) layers/anemonefish/pyproject.toml \
	$(shell find layers/anemonefish/src -name '*.py' -o -name '*.yaml')
$(BUILD)/layers/%Layer.ready: | .venv/app
	$(BUILD_LAYER) build-$*Layer TARGET=host ARTIFACTS_DIR="$(abspath $(BUILD)/layers/$*Layer)"
	@touch $@

# What AWS's Python runtime has beside the layers: boto3 and the runtime client.
$(BUILD)/layers/Runtime.ready: localstack/runtime.txt | .venv/app
	rm -rf $(@D)/Runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(@D)/Runtime/python --requirement $<
	@touch $@

# The libraries of the layers for both processors, as an account gets them; tests/unit/test_lambda_layers.py checks them. A change
# of the package does not rebuild them.
lambda-layers: $(BUILD)/lambda/arm64/ready $(BUILD)/lambda/x86_64/ready
$(BUILD)/lambda/%/ready: $(PINS) | .venv/app
	for layer in Anemonefish $(LIBRARIES); do \
		$(BUILD_LAYER) --silent build-$${layer}Layer ARCHITECTURE=$* COMPILER_lambda=true \
			ARTIFACTS_DIR="$(abspath $(@D))/$${layer}Layer" || exit 1; \
	done
	@touch $@

# The page: built again when a source of it changes.
web/node_modules/ready: web/package-lock.json
	@command -v npm >/dev/null || { echo "The page is built with Node 20.19 or newer, which is not installed: https://nodejs.org"; exit 1; }
	npm ci --prefix web --silent
	@touch $@

$(BUILD)/web/index.html: web/node_modules/ready web/index.html web/package.json web/tsconfig.json web/vite.config.ts \
	clients/javascript/anemonefish.js $(shell find web/src web/public -type f)
	npm run --prefix web --silent build -- --logLevel warn
	@touch $@

# --- commands ------------------------------------------------------------------------------------------------

web: $(BUILD)/web/index.html

demo: .venv/app .venv-ministack/ready layers
	$(BIN)/python -m localstack.demo $(FILE)

serve: .venv/app .venv-ministack/ready layers web
	@$(BIN)/python -m localstack.serve $(if $(PORT),--port "$(PORT)") $(if $(DATA),--data "$(DATA)")

detect: .venv/app
	@test -n "$(FILE)" || { echo "Say which recording: make detect FILE=recording.wav"; exit 2; }
	$(BIN)/anemonefish detect "$(FILE)"

# Each stage prints its time. Tests run in one process for each core, or in PROCESSES=1.
PROCESSES ?= auto
TIMED = @began=$$(date +%s); trap 'echo "$@: $$(($$(date +%s) - began)) s"' EXIT;

check: lint-python .venv/dev .venv-ministack/ready
	$(TIMED) $(BIN)/python -m pytest tests/unit -m "not slow" -q -n $(PROCESSES) --dist worksteal

test: lint unit workflow test-page

unit: .venv/dev .venv-ministack/ready lambda-layers
	$(TIMED) $(BIN)/python -m pytest tests/unit -n $(PROCESSES) --dist worksteal

explore: .venv/dev .venv-ministack/ready
	$(TIMED) $(BIN)/python -m pytest tests/unit -m hypothesis --hypothesis-profile explore -n $(PROCESSES) --dist worksteal

workflow: .venv/dev .venv-ministack/ready layers web
	$(TIMED) $(BIN)/python -m pytest tests/workflow -n $(PROCESSES) --dist loadfile

# Everything that a user does with a deployed API, by its URL and a key alone. It needs no AWS credentials.
smoke: .venv/smoke
	@test -n "$$URL" && test -n "$$KEY" || { echo "Say which API: make smoke URL=https://... KEY=..."; exit 2; }
	@ANEMONEFISH_API_URL="$$URL" ANEMONEFISH_API_KEY="$$KEY" \
		$(BIN)/python -m pytest tests/smoke --confcutdir=tests/smoke -q -p no:cacheprovider

# Starts a Docker daemon if none is running and it is allowed to; without Docker the tests are skipped with the reason.
test-container: .venv/dev .venv-ministack/ready .venv-sam/ready layers
	$(BIN)/python -m pytest tests/container

# Without Chromium the tests are skipped with the reason. A picture of each failure is kept in .build/page/failures.
test-page: .venv/dev .venv-ministack/ready layers web
	$(TIMED) $(BIN)/python -m pytest tests/page

# Chromium for test-page and test-browser, into the user's cache, unless a browser is installed. It may ask for sudo.
chromium: .venv/dev
	@type chromium >/dev/null 2>&1 || type chromium-browser >/dev/null 2>&1 || type google-chrome >/dev/null 2>&1 || \
		$(BIN)/playwright install --with-deps chromium

# Without Chromium the tests are skipped with the reason.
test-browser: .venv/dev .venv-ministack/ready layers
	$(BIN)/python -m pytest tests/browser

# Prints a table: fault, injected, survived, failed typed, resumed, same bytes, lost. ARGS="--seconds 60" for a shorter run.
test-faults: .venv/dev .venv-ministack/ready layers
	$(BIN)/python -m tests.faults $(ARGS)

# A defect's input is kept in .build/fuzz; the exit status is then 1.
SECONDS ?= 60
fuzz: .venv/fuzz
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

# A broken link, a page without navigation or a docstring that does not parse is an error.
docs: .venv-docs/ready
	.venv-docs/bin/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going --conf-dir docs . $(BUILD)/docs
	@echo "$(BUILD)/docs/index.html"

# Also checks the links to other sites; needs the internet.
links: .venv-docs/ready
	.venv-docs/bin/sphinx-build --quiet --builder linkcheck --conf-dir docs . $(BUILD)/links

# The score and predict functions with TensorFlow and librosa. Lambda rejects images with attestations.
ARCHITECTURE ?= arm64
TAG ?= $(shell git describe --always --dirty 2>/dev/null || echo local)
IMAGE ?= anemonefish-engine:$(TAG)
image:
	DOCKER_DEFAULT_PLATFORM=linux/$(ARCHITECTURE:x86_64=amd64) BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build $(DOCKER_OPTIONS) \
		--build-arg BASE=public.ecr.aws/lambda/python:3.13-$(ARCHITECTURE) --file image/Dockerfile --tag $(IMAGE) .

push-image: image .venv-sam/ready
	@test -n "$(STACK)" || { echo "Say which stack's repository: make push-image STACK=anemonefish-dev"; exit 2; }
	@name=$$(.venv-sam/bin/python -m shipping.image push "$(STACK)" "$(IMAGE)" "$(TAG)") && echo "$$name" && \
		echo "deploy with: sam deploy --parameter-overrides Engine=keras EngineImage=$$name Architecture=$(ARCHITECTURE)"

# The SAM CLI of tests/container/requirements.txt, and a check of the credentials, before a build of a minute.
SAM ?= $(abspath .venv-sam/bin/sam)
CHECK_ACCOUNT = @$(dir $(SAM))python -m shipping.account $(DEPLOY_OPTIONS)

# Build, check and deploy a stage of samconfig.toml, for the processor that it names.
deploy: .venv-sam/ready
	@test -n "$(STAGE)" || { echo "Say which stage: make deploy STAGE=dev"; exit 2; }
	$(CHECK_ACCOUNT)
	architecture=$$($(PYTHON) lint/built.py --of "$(STAGE)") && ARCHITECTURE=$$architecture $(SAM) build
	$(PYTHON) lint/built.py "$(STAGE)"
	$(SAM) deploy --config-env "$(STAGE)" $(DEPLOY_OPTIONS)

# Build, and answer one question for each parameter. The answers are saved in a file of your own: later deployments are
# make deploy-guided again, or sam deploy --config-file samconfig.local.toml. The question about the Architecture proposes that
# of the build, which is the saved one if the command names none.
LOCAL_CONFIG := samconfig.local.toml
deploy-guided: .venv-sam/ready
	$(CHECK_ACCOUNT) --guided
	architecture=$$($(PYTHON) lint/built.py --guided $(LOCAL_CONFIG) $(if $(filter-out file,$(origin ARCHITECTURE)),$(ARCHITECTURE))) \
		&& ARCHITECTURE=$$architecture $(SAM) build
	$(SAM) deploy --guided --config-file $(LOCAL_CONFIG) $(DEPLOY_OPTIONS)
	@echo "check the API: make smoke-stage STAGE=default"

# Build once, deploy the same file into each stage (.github/workflows/deploy.yml): make package ARCHITECTURE=arm64, then
# make deploy-package STAGE=staging, which takes the package for the stage's processor, and make smoke-stage STAGE=staging.
PACKAGE_FOLDER ?= $(BUILD)/packages
package: .venv-sam/ready
	ARCHITECTURE=$(ARCHITECTURE) $(SAM) build
	$(PYTHON) -m shipping.package pack $(ARCHITECTURE) $(PACKAGE_FOLDER)

deploy-package: .venv-sam/ready
	@test -n "$(STAGE)" || { echo "Say which stage: make deploy-package STAGE=staging"; exit 2; }
	$(CHECK_ACCOUNT)
	architecture=$$($(PYTHON) lint/built.py --of "$(STAGE)") && \
		$(PYTHON) -m shipping.package unpack "$(PACKAGE_FOLDER)/anemonefish-$$architecture.tar.gz" "$(BUILD)/deploy/$(STAGE)"
	$(PYTHON) lint/built.py "$(STAGE)" "$(BUILD)/deploy/$(STAGE)/.aws-sam/build"
	test -z "$(ENGINE_IMAGE)" || \
		$(PYTHON) -m shipping.image use "$(BUILD)/deploy/$(STAGE)/samconfig.toml" "$(STAGE)" "$(ENGINE_IMAGE)"
	cd "$(BUILD)/deploy/$(STAGE)" && $(SAM) deploy --config-env "$(STAGE)" --no-confirm-changeset \
		--no-fail-on-empty-changeset $(DEPLOY_OPTIONS)

# Upload the page into the bucket of a stage with Page=enabled, after every deployment that changed it.
deploy-page: .venv/app web
	@test -n "$(STAGE)" || { echo "Say which stage: make deploy-page STAGE=dev"; exit 2; }
	$(BIN)/python -m shipping.page "$(STAGE)"

smoke-stage: .venv/smoke
	@test -n "$(STAGE)" || { echo "Say which stage: make smoke-stage STAGE=staging"; exit 2; }
	$(BIN)/python -m shipping.deployed_api "$(STAGE)" $(MAKE) --no-print-directory smoke

# The wheel, with the reference model, the sdist, and the bill of materials of a deployment, each with the same bytes for the
# same commit.
DIST := $(BUILD)/dist
wheel: .venv-release/ready
	rm -rf $(DIST) && mkdir -p $(DIST)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) .venv-release/bin/python -m build --no-isolation --wheel --sdist \
		--outdir $(DIST) layers/anemonefish
	$(PYTHON) -m shipping.sbom write $(DIST)
	$(PYTHON) -m shipping.release sums $(DIST)

# Look up every library that is deployed in the database of known vulnerabilities. It needs the internet, and fails for a
# library that it cannot look up. A vulnerability that does not apply is left out by its id, with the reason here:
# AUDIT_OPTIONS = --ignore-vuln ID
AUDIT_OPTIONS ?=
audit: .venv-audit/ready
	$(PYTHON) -m shipping.sbom audit .venv-audit/bin/pip-audit --strict --no-deps --disable-pip $(AUDIT_OPTIONS) \
		--requirement

# The section of CHANGELOG.md: make release-notes VERSION=0.1.0, or VERSION=Unreleased
release-notes:
	@test -n "$(VERSION)" || { echo "Say which version: make release-notes VERSION=0.1.0"; exit 2; }
	@$(PYTHON) -m shipping.release notes "$(VERSION)"

# The release on GitHub with what make wheel wrote: make publish-release VERSION=v0.1.0. It needs GitHub's command line.
publish-release:
	$(PYTHON) -m shipping.release notes "$(VERSION)" > $(BUILD)/release-notes.md
	gh release create "$(VERSION)" --verify-tag --title "$(VERSION)" --notes-file $(BUILD)/release-notes.md $(DIST)/*

# Takes 15 minutes. Parts: make bench ARGS="--only pipeline engine"; ARGS=--record writes docs/benchmarks.md.
bench: .venv/dev .venv-ministack/ready layers $(if $(PEERS),.venv-bench/ready)
	$(BIN)/python -m bench $(ARGS)

lint: lint-python lint-cloudformation lint-typescript lint-web lint-workflows

lint-python: .venv/dev
	$(TIMED) $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache --no-logo

lint-cloudformation: .venv-lint/ready
	$(TIMED) PATH="$(abspath .venv-lint/bin):$$PATH" .venv-lint/bin/python lint/cloudformation.py

lint-typescript: .venv/dev .venv-lint/ready
	$(TIMED) PATH="$(abspath .venv-lint/bin):$$PATH" $(BIN)/python lint/typescript.py

# The page's types, and the tests of its modules that need no browser.
lint-web: web/node_modules/ready
	$(TIMED) npm run --prefix web --silent check && npm test --prefix web --silent

lint-workflows: .venv-lint/ready
	$(TIMED) .venv-lint/bin/python lint/workflows.py

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Publish the reference bundle from a network of training/train.py: make bundle FROM=folder VERSION=2.0.1
bundle: .venv/dev
	$(BIN)/anemonefish models publish "$(FROM)/model.keras" --metadata "$(FROM)/model_config.yaml" \
		--name reef --version "$(VERSION)" --license Apache-2.0 \
		--activation sigmoid $$(cat "$(FROM)/publish.txt") \
		--card training/card.yaml --description "$$(cat training/description.txt)"

# Pin the exact versions of everything that requirements/*.in names.
lock:
	$(PYTHON) -m venv $(BUILD)/uv && $(BUILD)/uv/bin/python -m pip install --quiet uv
	cd requirements && for set in app "dev -c app.txt" "smoke -c dev.txt" "fuzz -c dev.txt"; do set -- $$set; name=$$1; shift; \
		../$(BUILD)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header "$$@" $$name.in -o $$name.txt; done
	cd image && ../$(BUILD)/uv/bin/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes \
		--no-emit-index-url --no-header requirements.in -o requirements.txt

# Leaves .build/serve, where make serve keeps recordings and results.
clean:
	rm -rf .venv .venv-* demo .aws-sam web/node_modules
	test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name serve -exec rm -rf {} +
