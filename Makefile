# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint deny docs targets prepare bench soak matrix openapi
export SQLX_OFFLINE = true

minutes = The first build takes about 15 minutes on 2 cores, later ones take seconds. The services start meanwhile.
environment = eval "$$(scripts/services env)"
# A question about packages is asked before the build begins; then the services start beside it.
beside_services = scripts/services install; scripts/services up & up=$$!; $(1) || { wait $$up; exit 1; }; wait $$up

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 16

demo: ## Send to 5,000 made-up people, kill a worker, show that everybody was told once
	@echo "$(minutes)"
	@$(call beside_services,cargo build -p duly -p duly-ledger)
	@$(environment); target/debug/duly demo
	@echo; echo "And duly-verify, a program of its own that knows no database:"
	@target/debug/duly-verify target/demo/pack.zip --key target/demo/log.vkey

test: ## Everything that must pass
	@echo "$(minutes)"
	@$(call beside_services,cargo test --workspace --no-run)
	@$(environment); mkdir -p target; cargo test --workspace 2>&1 | tee target/test.log
	@awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
	  /SKIPPED: / { sub(/.*SKIPPED: /, "SKIPPED: "); if (!said[$$0]++) skipped = skipped "\n" $$0 } \
	  END { printf "\nIn all: %d passed; %d failed; %d ignored%s\n", passed, failed, ignored, skipped; exit failed > 0 || passed == 0 }' target/test.log
	@if command -v node >/dev/null; then node tests/page/run.mjs --against target/debug/duly-verify && \
	    { node tests/page/run.mjs || { code=$$?; [ $$code = 77 ] || exit $$code; }; }; \
	  else echo "SKIPPED: docs/verify.html was not tried in a browser: there is no node"; fi
	@tests/services/run

# Together, so that both are built with the same dependencies.
benched = -p duly -p duly-letter
beside = weasyprint==70.0
bench: ## Measure, in release, and write target/bench/latest.json
	@echo "The first build in release takes longer than the one of the tests."
	@$(call beside_services,cargo bench $(benched) --bench throughput --bench letters --no-run)
	@$(environment); cargo bench $(benched) --bench throughput
	@python3 -m pip install --quiet --root-user-action ignore --target target/weasyprint $(beside) || echo "WeasyPrint cannot be had here."
	@PYTHONPATH="$$PWD/target/weasyprint" cargo bench $(benched) --bench letters

soak: ## 100,000 messages, every fault at every twentieth call, three workers, kills at random (SOAK_MESSAGES, SOAK_SEED)
	@$(call beside_services,cargo test --release -p duly --test it --no-run)
	@$(environment); SOAK_MESSAGES=$${SOAK_MESSAGES:-100000} cargo test --release -p duly --test it -- soak:: --nocapture

matrix: ## Every fault of a provider with every death of a process, for each class of provider (docs/fault-matrix.md)
	@$(call beside_services,cargo test --workspace --test it --no-run)
	@$(environment); cargo test --workspace --test it -- --ignored --test-threads 2 fault_matrix::

lint: ## Formatting, clippy with warnings denied, shell scripts where shellcheck is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run tests/services/run tests/openapi/run; fi

deny: ## Licences, sources and known holes of all dependencies (needs cargo-deny)
	cargo deny --all-features check

docs: ## API documentation with warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

elsewhere = x86_64-pc-windows-gnu aarch64-apple-darwin
linkers = cargo-zigbuild==0.24.1 ziglang==0.17.1
targets: ## Build duly-verify for Windows and macOS (needs rustup and pip; without their linkers it is compiled only)
	@python3 -m pip install --quiet --root-user-action ignore --target target/linkers $(linkers) || echo "The linkers cannot be had here."
	@export PATH="$$PWD/target/linkers/bin:$$PATH" PYTHONPATH="$$PWD/target/linkers"; for target in $(elsewhere); do \
	  if ! timeout 120 rustup target add $$target >/dev/null 2>&1; then \
	    echo "SKIPPED: duly-verify was not compiled for $$target, whose std cannot be had here"; \
	  else cargo check --quiet -p duly-ledger --bin duly-verify --target $$target; \
	    if command -v cargo-zigbuild >/dev/null && timeout 600 cargo zigbuild --quiet -p duly-ledger --bin duly-verify --target $$target; \
	    then echo "duly-verify for $$target: $$(ls target/$$target/debug/duly-verify{,.exe} 2>/dev/null)"; \
	    else echo "SKIPPED: duly-verify compiles for $$target, and was not linked"; fi; fi; done

openapi: ## Hold the adapters' requests against the vendors' own documents, by a validator that others made (needs npm)
	@tests/openapi/run

prepare: ## Write .sqlx anew after a query or a migration changed
	@scripts/services up
	@$(environment); scripts/prepare-queries
