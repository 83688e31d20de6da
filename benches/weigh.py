#!/usr/bin/env python3
"""Time and memory of rule sets by size: benches/weigh.py target/release/sluice [FOLDER-OF-YARA-RULES]

Makes lists of literals and digests from a seeded generator, loads each with `sluice rules check --stats`, and prints the
table of docs/rules.md."""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

WORDS = "account amount order status shipping address customer created updated total price currency".split()


def literals(count):
    random.seed(7)
    shapes = (
        lambda w, n: f"{w}{n:x}.example",
        lambda w, n: f"/{w}/{n:x}.php",
        lambda w, n: f"{n:08x}{w}",
        lambda w, n: f"${{{w}:{n}}}",
    )
    lines = set()
    while len(lines) < count:
        lines.add(random.choice(shapes)(random.choice(WORDS), random.getrandbits(30)))
    return "\n".join(sorted(lines)) + "\n"


def digests(count):
    random.seed(9)
    return "".join(f"{random.getrandbits(256):064x}\n" for _ in range(count))


def imported(sluice, folder, name, text, kind):
    into = pathlib.Path(folder) / name
    into.mkdir(mode=0o755)
    source = pathlib.Path(folder) / f"{name}.txt"
    source.write_text(text)
    command = [sluice, "rules", "import", source, "--into", into, "--name", "list", "--format", kind]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return into


def main():
    sluice, *more = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        sets = [("the shipped rules", [])]
        large = None
        for count in (10, 100, 1_000, 10_000, 50_000, 100_000, 500_000):
            into = imported(sluice, folder, f"literal-{count}", literals(count), "lines")
            large = into if count == 50_000 else large
            if count != 50_000:
                sets.append((f"{count:,} literals", [into]))
        hashes = imported(sluice, folder, "digests", digests(1_000_000), "hashes")
        sets.append(("1,000,000 SHA-256 digests", [hashes]))
        for public in more:
            name = pathlib.Path(public).name
            sets.append((name, [public]))
            sets.append((f"{name} and 50,000 literals", [public, large]))
        print("| set | rules | strings searched | load, s of CPU | tables of the search, MiB | memory in force, MiB | most while loading, MiB |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, bundles in sets:
            seen, used = weighed([sluice, "rules", "check", "--stats", *map(str, bundles)])
            rules = seen["rules"] + seen["digests"]
            cpu = used.ru_utime + used.ru_stime
            kept, peak = (seen[key] / 1024 for key in ("resident-kib", "peak-kib"))
            search = seen["search-kib"] / 1024
            print(f"| {name} | {rules:,} | {seen['search-strings']:,} | {cpu:.2f} | {search:.1f} | {kept:.0f} | {peak:.0f} |", flush=True)


def weighed(command):
    """What a command prints, and what the kernel says that it used: processor time, since the machine may be busy."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, stdout=output)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{command} failed")
        output.seek(0)
        return json.load(output), used


if __name__ == "__main__":
    main()
