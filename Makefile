# `make demo` runs the main job, `make test` the whole suite. Each first sets up what a fresh Debian machine with Rust
# lacks, and says what it does; where everything is there, they only build and run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: demo test check setup build

demo: setup build
	target/release/berth demo --once

test: setup
	cargo test --workspace

build: setup
	cargo build --release

check: setup
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings

setup:
	@scripts/setup
