.PHONY: help demo test lint fmt docs prepare services
export SQLX_OFFLINE = true

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

services:
	@scripts/services up

demo: ## Send to 5,000 made-up people, kill a worker, show that everybody was told once
	@echo "The first build takes about 20 minutes on 2 cores; the services start meanwhile."
	@scripts/services up & cargo build --quiet; wait
	@eval "$$(scripts/services env)"; target/debug/duly demo

test: services ## Everything that must pass
	eval "$$(scripts/services env)"; cargo test --workspace

lint: ## Formatting and clippy with warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

docs: ## API documentation with warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

prepare: services ## Write .sqlx anew after a query changed
	scripts/prepare-queries
