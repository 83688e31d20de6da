#!/bin/sh
# Builds target/debian/sluice_*.deb: cargo install --locked cargo-deb; deploy/debian/build.sh
set -eu
cd "$(dirname "$0")/../.."
cargo build -q --release --locked
mkdir -p target/deb/man
target/release/sluice man target/deb/man
target/release/sluice completions bash > target/deb/sluice.bash
target/release/sluice completions zsh > target/deb/_sluice
target/release/sluice completions fish > target/deb/sluice.fish
rm -f target/debian/sluice_*.deb
cargo deb --no-build --strip "$@"
