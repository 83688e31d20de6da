#!/usr/bin/env python3
"""Lines that the tests reach, by room.

    tests/coverage/coverage.py [LLVM] [TARGET]

Builds the tests and the program instrumented (in TARGET, `target/coverage` unless told), runs them all, and prints for
each folder of src/ how many of its lines were run. Test modules do not count. LLVM is the folder of `llvm-profdata` and
`llvm-cov` of the compiler's own LLVM version (`rustc -vV`): Debian's /usr/lib/llvm-22/bin, say. Fails when one of the
rooms that read hostile bytes is under 90 %.
"""
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOSTILE = ["wire", "icap", "http1", "content", "inspect", "redact", "policy", "service"]
LEAST = 90.0


def main():
    llvm = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(shutil.which("llvm-profdata") or "")
    target = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else os.path.join(TOP, "target", "coverage")
    profiles = os.path.join(target, "profiles")
    shutil.rmtree(profiles, ignore_errors=True)
    environment = os.environ | {"RUSTFLAGS": "-C instrument-coverage", "CARGO_TARGET_DIR": target,
                                "LLVM_PROFILE_FILE": os.path.join(profiles, "%p-%m.profraw")}
    binaries = built(environment)
    # Instrumented programs are slow, and a test about time may fail: what it ran counts all the same.
    subprocess.run(["cargo", "test", "--no-fail-fast"], cwd=TOP, env=environment, check=False)
    # Programs that a test starts without an environment write where they stand.
    for stray in glob.glob(os.path.join(TOP, "*.profraw")):
        shutil.move(stray, profiles)
    data = os.path.join(profiles, "all.profdata")
    subprocess.run([os.path.join(llvm, "llvm-profdata"), "merge", "-sparse", *glob.glob(os.path.join(profiles, "*.profraw")), "-o", data], check=True)
    objects = [word for binary in binaries[1:] for word in ("-object", binary)]
    export = [os.path.join(llvm, "llvm-cov"), "export", "-format=lcov", "-instr-profile", data, binaries[0], *objects]
    lcov = subprocess.run(export, check=True, capture_output=True, text=True).stdout
    return report(lines(lcov))


def built(environment):
    """Paths of the tests and of the program."""
    command = ["cargo", "test", "--no-run", "--message-format", "json"]
    output = subprocess.run(command, cwd=TOP, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, output.splitlines())
    return sorted({message["executable"] for message in messages if message.get("executable")})


def lines(lcov):
    """For each room, the lines that can be run and those that were."""
    rooms = collections.defaultdict(lambda: [0, 0])
    room, end = None, 0
    for record in lcov.splitlines():
        if record.startswith("SF:"):
            path = os.path.relpath(record[3:], os.path.join(TOP, "src"))
            room = None if path.startswith("..") else re.split(r"[/.]", path)[0]
            end = first_test_line(record[3:]) if room else 0
        elif record.startswith("DA:") and room:
            number, count = map(int, record[3:].split(",")[:2])
            if number < end:
                rooms[room][0] += 1
                rooms[room][1] += count > 0
    return rooms


def first_test_line(path):
    with open(path, encoding="utf-8") as file:
        text = file.read().split("\n")
    modules = (number for number, line in enumerate(text[:-1], 1) if line == "#[cfg(test)]" and text[number].startswith("mod "))
    return next(modules, len(text) + 1)


def report(rooms):
    poor = []
    for room, (all_lines, run) in sorted(rooms.items()):
        share = 100 * run / all_lines
        print(f"{room:12} {all_lines:6} lines {share:6.1f} %")
        if room in HOSTILE and share < LEAST:
            poor.append(room)
    print(f"under {LEAST:.0f} %: {', '.join(poor) or 'none of ' + ', '.join(HOSTILE)}")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main())
