#!/usr/bin/env python3
"""Worst cases of every parser and detector: the work grows with the body and not faster, counted in instructions.

  linear.py PATH/TO/sluice [--smallest KIB] [--doublings N] [--only WORD] [--jobs N]

Each input is a unit that is repeated, in a body of 1, 2, 4 and 8 times the smallest size. `sluice scan` (or `redact`)
reads it under `valgrind --tool=cachegrind`, with a profile that observes, so that a verdict ends nothing early, and
without signatures, which take long to load. What the program costs without a body is taken off. Fails when twice the bytes cost more than 2.3 times the instructions.
The default sizes end at 2 MiB: a count does not jitter, so that small bodies say as much as large ones, in less time.
Needs valgrind.
"""

import argparse
import base64
import concurrent.futures
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile

MOST = 2.3
CONFIG = """
[rules]
embedded = false
[profiles.request]
base = "request"
preset = "observe"
mode = "observe"
[profiles.response]
base = "response"
preset = "observe"
mode = "observe"
"""


def repeated(unit, before="", after=""):
    unit, before, after = (text if isinstance(text, bytes) else text.encode() for text in (unit, before, after))

    def make(size):
        count = max(1, (size - len(before) - len(after)) // len(unit))
        return before + unit * count + after

    return make


def numbered(unit, before="", after=""):
    """The same with a number in each unit."""

    def make(size):
        out, length, number = [before], len(before) + len(after), 0
        while length < size:
            piece = unit % number
            out.append(piece)
            length += len(piece)
            number += 1
        return ("".join(out) + after).encode()

    return make


def in_string(unit):
    """A JSON string of it."""

    def make(size):
        text = json.dumps(unit)[1:-1]
        return ('{"note":"' + text * (size // len(text)) + '"}').encode()

    return make


def zipped(size):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number in range(max(1, size // 150)):
            archive.writestr("d/%06d.txt" % number, b"some text\n")
    return out.getvalue()


def multipart(size):
    part = '--b\r\nContent-Disposition: form-data; name="a%d"\r\n\r\nvalue\r\n'
    return numbered(part, "", "--b--\r\n")(size)


def encoded(size):
    text = base64.b64encode(b"select a from b where c = 'd' -- \n" * (size // 48)).decode()
    return ('{"file":"' + text + '"}').encode()


J, X, F = "application/json", "application/xml", "application/x-www-form-urlencoded"
M, T, H = "multipart/form-data; boundary=b", "text/plain", "text/html"
CASES = {
    "json-arrays": (J, repeated("[")),
    "json-objects": (J, repeated('{"a":')),
    "json-names": (J, numbered('"k%d":1,', "{", '"z":1}')),
    "json-same-names": (J, repeated('"a":1,', "{", '"a":1}')),
    "json-escapes": (J, repeated("\\u0041", '["', '"]')),
    "json-backslashes": (J, repeated("\\\\", '["', '"]')),
    "json-surrogates": (J, repeated("\\ud83d\\ude00", '["', '"]')),
    "json-numbers": (J, repeated("1.5e3,", "[", "1]")),
    "json-digits": (J, repeated("1", "[", "]")),
    "json-comments": (J, repeated("/*a*/", "[", "1]")),
    "json-broken": (J, repeated("'a\" :}", "[")),
    "json-strings": (J, repeated('"it\'s",', "[", '""]')),
    "json-in-json": (J, in_string('{"a":"b"}')),
    "json-base64": (J, encoded),
    "ndjson": ("application/x-ndjson", repeated('{"a":1}\n')),
    "xml-elements": (X, repeated("<a>")),
    "xml-pairs": (X, repeated("<a>b</a>", "<r>", "</r>")),
    "xml-attributes": (X, numbered('a%d="b" ', "<r ", "/>")),
    "xml-references": (X, repeated("&#65;", "<r>", "</r>")),
    "xml-cdata": (X, repeated("<![CDATA[a]]>", "<r>", "</r>")),
    "xml-comments": (X, repeated("<!---->", "<r>", "</r>")),
    "xml-brackets": (X, repeated("]]]", "<r><![CDATA[", "]]></r>")),
    "xml-entities": (X, numbered('<!ENTITY e%d "x">', "<!DOCTYPE r [", "]><r/>")),
    "xml-nested-entities": (X, numbered('<!ENTITY e%d "&e0;&e0;">', '<!DOCTYPE r [<!ENTITY e0 "x">', "]><r>&e0;</r>")),
    "xml-namespaces": (X, numbered('<a xmlns:n%d="u">', "<r>")),
    "form-pairs": (F, numbered("a%d=b%%20c&", "", "z=1")),
    "form-escapes": (F, repeated("%2527", "a=")),
    "multipart-parts": (M, multipart),
    "multipart-almost": (M, repeated("\r\n--", "--b\r\n\r\n", "\r\n--b--\r\n")),
    "multipart-fields": (M, repeated("A: b\r\n", "--b\r\n", "\r\nx\r\n--b--\r\n")),
    "zip-members": ("application/zip", zipped),
    "text-quotes": (T, repeated("'")),
    "text-sql": (T, repeated("' or select ")),
    "text-islands": (T, numbered("; cat a%d or 1=1\n")),
    "html-tags": (H, repeated("<a b='")),
    "html-text": (H, repeated("<p>text</p>")),
}
# In a JSON string: what the injection detectors read.
for unit in [";id ", "$(a ", "`", "'", "../", "..%2f", "%25", "{{", "{#", "[#", "${", "${IFS}", "(&(", "<script ", "a://",
             "rar://", "http://a@", "union select ", "\\u003c", "&lt;", "/*", "<a ", "!!", "a(", "&#x0a;", "QUFB", "? "]:
    CASES["value " + unit.strip()] = (J, in_string(unit))
REDACTED = {
    "redact-json": ("json", numbered('{"email":"a%d@b.test","note":"call 0171 2345678"},', "[", "{}]")),
    "redact-digits": ("json", in_string("4111 ")),
    "redact-words": ("json", in_string("password ")),
    "redact-ats": ("json", in_string("a@")),
    "redact-dots": ("json", in_string("1.")),
    "redact-csv": ("csv", repeated('"a""b",', "h,h\n")),
    "redact-xml": ("xml", repeated("<p>a@b.test</p>", "<r>", "</r>")),
    "redact-log": ("txt", repeated("10.0.0.1 user=a token=b\n")),
}


def instructions(command):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=" + out.name, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if not found or done.returncode not in (0, 1):
        sys.exit("%s: %s" % (" ".join(command), done.stderr[-600:]))
    return int(found.group(1).replace(",", ""))


def command_of(sluice, folder, name, size):
    if name in REDACTED:
        ending, make = REDACTED[name]
        path = os.path.join(folder, "%s-%d.%s" % (re.sub(r"\W", "_", name), size, ending))
        command = [sluice, "redact", path]
    else:
        content_type, make = CASES[name]
        path = os.path.join(folder, "%s-%d" % (re.sub(r"\W", lambda found: "%02x" % ord(found.group()), name), size))
        config = os.path.join(folder, "sluice.toml")
        command = [sluice, "scan", "--as", "request", "--config", config, "--content-type", content_type, path]
    with open(path, "wb") as out:
        out.write(make(size) if size else b"")
    return command


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sluice")
    parser.add_argument("--smallest", type=int, default=256, metavar="KIB")
    parser.add_argument("--doublings", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    sizes = [options.smallest * 1024 << step for step in range(options.doublings + 1)]
    names = [name for name in [*CASES, *REDACTED] if options.only in name]
    failed = []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        with open(os.path.join(folder, "sluice.toml"), "w") as out:
            out.write(CONFIG)

        # The same for all inputs of a kind.
        idle = [instructions(command_of(options.sluice, folder, next(iter(kind)), 0)) for kind in (CASES, REDACTED)]

        def measure(name):
            base = idle[name in REDACTED]
            return [instructions(command_of(options.sluice, folder, name, size)) - base for size in sizes]

        print("| input | instructions a byte | twice the bytes cost |\n|---|---:|---|")
        for name, counts in zip(names, pool.map(measure, names)):
            ratios = [later / max(1, earlier) for earlier, later in zip(counts, counts[1:])]
            print("| `%s` | %.0f | %s |" % (name, counts[-1] / sizes[-1], " · ".join("%.2f" % ratio for ratio in ratios)), flush=True)
            if max(ratios) > MOST:
                failed.append(name)
    if failed:
        sys.exit("faster than linear: " + ", ".join(failed))
    print("\n%d inputs, none above %.1f" % (len(names), MOST))


if __name__ == "__main__":
    main()
