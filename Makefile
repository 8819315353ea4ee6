# `make demo` runs the main job, `make test` the whole suite. Each first sets up what a fresh Debian machine with Rust
# lacks, and says what it does; where everything is there, they only build and run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: demo test test-vm check setup build

demo: setup build
	target/release/berth demo --once

# The second run says every sentence in other words: a command that still does what it should decides on none of them. It
# builds Berth's own crates once more and then runs for about two minutes.
test: setup
	cargo test --workspace
	cargo test --features reworded --test it -- docker_errors a_bad_push a_task_runs

# Under systemd in a virtual machine, over a reboot; not a part of `make test`, for what it takes.
test-vm: setup
	tests/vm/run

build: setup
	cargo build --release

check: setup
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings

setup:
	@scripts/setup
