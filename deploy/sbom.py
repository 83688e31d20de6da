#!/usr/bin/env python3
"""The list of what is in a release build, as CycloneDX 1.5 JSON on the standard output: deploy/sbom.py > sluice.cdx.json

Made of `cargo metadata` and Cargo.lock: the crates that are linked in (no build tools, no test tools) on Linux, with version,
licence, checksum and who needs whom. Needs nothing but cargo.
"""
import hashlib
import json
import os
import subprocess
import tomllib
import uuid

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
TARGET = "x86_64-unknown-linux-gnu"
metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET], check=True, capture_output=True).stdout)
with open("Cargo.lock", "rb") as file:
    lock = file.read()
checksums = {(p["name"], p["version"]): p.get("checksum") for p in tomllib.loads(lock.decode())["package"]}
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}


def reference(identity):
    package = packages[identity]
    return f"pkg:cargo/{package['name']}@{package['version']}"


def procedural(identity):
    return any("proc-macro" in target["kind"] for target in packages[identity]["targets"])


def needs(identity):
    """What is linked in for it: neither build nor test dependencies, nor macros, which run in the compiler."""
    return [dep["pkg"] for dep in nodes[identity]["deps"]
            if any(kind["kind"] is None for kind in dep["dep_kinds"]) and not procedural(dep["pkg"])]


def component(identity):
    package = packages[identity]
    described = {"type": "library", "bom-ref": reference(identity), "name": package["name"], "version": package["version"],
                 "purl": reference(identity)}
    if package.get("license"):
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums.get((package["name"], package["version"])):
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


root = metadata["resolve"]["root"]
linked, pending = set(), [root]
while pending:
    identity = pending.pop()
    if identity not in linked:
        linked.add(identity)
        pending.extend(needs(identity))
# The same tree gives the same list: no clock, and a number made of the lock file.
print(json.dumps({
    "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
    "serialNumber": f"urn:uuid:{uuid.UUID(bytes=hashlib.sha256(lock).digest()[:16], version=4)}",
    "metadata": {"component": component(root) | {"type": "application"}},
    "components": [component(identity) for identity in sorted(linked - {root}, key=reference)],
    "dependencies": [{"ref": reference(identity), "dependsOn": sorted({reference(need) for need in needs(identity)})}
                     for identity in sorted(linked, key=reference)],
}, indent=1))
