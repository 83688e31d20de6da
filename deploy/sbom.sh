#!/bin/sh
# Writes target/sluice.cdx.json, the CycloneDX list of what is in a release build: cargo install --locked cargo-cyclonedx
set -eu
cd "$(dirname "$0")/.."
cargo cyclonedx -q --format json --describe binaries --target x86_64-unknown-linux-gnu --override-filename sluice.cdx
mkdir -p target
mv sluice.cdx.json target/sluice.cdx.json 2>/dev/null || mv sluice.cdx*.json target/sluice.cdx.json
