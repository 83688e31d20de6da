//! Deserialization gadgets: object streams and type tags that make a reader run code.
//!
//! Streams are known by their grammar (Java, .NET, PHP, pickle, Marshal), tags and class names by the tables below. A
//! class name in a text says little; as the value of a type tag, or beside another sign, it says enough.

mod words;

use std::sync::LazyLock;

use super::lexis::{WordSets, any_of, find, has, run, trim};
use super::{Evidence, Kind, Setting, Value};
use words::{FUNCTORS, GADGETS, JAVA_ROOTS, PACKAGES, PICKLE_MODULES, RUNNERS, TYPE_TAGS};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &[
    "ro0ab",
    "\u{0}\u{5}sr",
    "aced0005",
    "\u{0}\u{5}",
    "aaeaaad",
    "/wey",
    "\u{4}\u{8}",
    "bahb",
    "bahv",
    "bah7",
    "!ruby",
    "!!",
    "python/object",
    "_$$nd_func",
    "__reduce__",
    "cos\n",
    "cposix",
    "csubprocess",
    "cnt\n",
    "c__builtin__",
    "cbuiltins",
    "\u{2}c",
    "ccommands",
    "csys\n",
    "ctypes",
    "tr.",
    "js_function",
    "objectdataprovider",
    "typeconfuse",
    "activitysurrogate",
    "windowsidentity",
    "resourcedictionary",
    "losformatter",
    "binaryformatter",
    "system.windows",
    "system.diagnostics.process",
    "system.configuration.install",
    "system.io.file",
    "xamlreader",
    "invokertransformer",
    "templatesimpl",
    "jdbcrowset",
    "processbuilder",
    "java.lang.runtime",
    "scriptenginemanager",
    "commons.collections",
    "com.sun.",
    "org.apache.",
    "org.springframework",
    "com.mchange",
    "bsh.interpreter",
    "groovy.runtime",
    "beans.xmldecoder",
    "xmldecoder",
    "nativestring",
    "dynamic-proxy",
    "javax.naming",
    "javax.management",
    "java.net.url",
    "java.util.priorityqueue",
    "ch.qos.logback",
    "com.zaxxer",
    "urldns",
    "ysoserial",
    "__halt_compiler",
    "phar:",
    "__php_incomplete",
    "marshalsec",
    "fastjson",
    "unserialize",
    "pickle.loads",
    "java.beans",
    "jdk.nashorn",
    "net.sf.",
    "com.alibaba",
    "com.caucho",
    "com.rometools",
    "com.newrelic",
    "os\nsystem",
    "subprocess",
    "gem::",
    "activesupport::",
    "activemodel",
    "!py",
    "java.lang.process",
    "o:1",
    "o:2",
    "o:3",
    "o:4",
    "o:5",
    "o:6",
    "o:7",
    "o:8",
    "o:9",
    "c:1",
    "c:2",
    "c:3",
    "c:4",
    "c:5",
    "c:6",
    "c:7",
    "c:8",
    "c:9",
    "o:+",
    "java.",
    "getruntime",
    "runtime.",
    "lazymap",
    "instantiatefactory",
    "prototypeclonefactory",
    "prototypeserializationfactory",
    "forclosure",
    "whileclosure",
    "clonetransformer",
    "chainedtransformer",
    "constanttransformer",
    "instantiatetransformer",
    "transformingcomparator",
    "(ios\n",
    "(iposix",
    "(isub",
    "(i__",
    "posix\nsystem",
    "\u{5}posix",
    "\u{8}builtins",
    "\u{2}nt",
    "\u{2}os",
    "\u{b}__builtin__",
    "posixq",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let words = WORDS.sets_in(value.lower);
    java_stream(value, words, evidence);
    net_stream(value, evidence);
    php(value, words, evidence);
    pickle(value, words, evidence);

    ruby(value, words, evidence);
    if words & YAML_TAG != 0 {
        yaml(value, evidence);
    }
    if words & FUNCTION != 0 {
        functions(value, evidence);
    }
    classes(value, words, evidence);

    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(50),
    }
}

/// `AC ED 00 05` (Java Object Serialization Specification §6.1), and its base64 and hex.
fn java_stream(value: &Value<'_>, words: u32, evidence: &mut Evidence) {
    let bytes = trim(value.bytes);
    let lower = trim(value.lower);
    let marker = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| matches!(byte, 0x70..=0x7e))
    };
    if bytes.starts_with(&[0xac, 0xed, 0, 5]) && (marker(4) || bytes.len() > 8) {
        evidence.note(Kind::Semantics, 90, "java-stream");
        return;
    }
    // `rO0AB` is what every such stream begins with in base64.
    let stream = match words & JAVA_STREAM {
        0 => None,
        _ => find(bytes, b"rO0AB", 0),
    };
    if let Some(at) = stream {
        let body = run(bytes, at, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'%')
        });
        let begins = at == 0 || !bytes.get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        if begins && body.len() >= 12 {
            evidence.note_at(Kind::Semantics, 80, "java-stream", at..at + body.len());
        }
    } else if lower.starts_with(b"aced0005")
        || lower.starts_with(b"\\xac\\xed\\x00\\x05")
        || lower.starts_with(b"%ac%ed%00%05")
    {
        evidence.note(Kind::Semantics, 80, "java-stream");
    } else if value.layers == 0 && lower.starts_with(&[0xef, 0xbf, 0xbd, 0xef, 0xbf, 0xbd, 0, 5]) {
        // The magic after a lossy trip through UTF-8.
        evidence.note(Kind::Semantics, 70, "java-stream");
    }
}

/// MS-NRBF §2.6.1: a SerializationHeaderRecord; and the gadgets that it brings.
fn net_stream(value: &Value<'_>, evidence: &mut Evidence) {
    let bytes = trim(value.bytes);
    let header = [0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0];
    if value.bytes.starts_with(&header) {
        evidence.note(Kind::Semantics, 85, "net-stream");
    } else if bytes.starts_with(b"AAEAAAD/////AQAAA") {
        evidence.note(Kind::Semantics, 80, "net-stream");
    } else if bytes.starts_with(b"/wEy") && bytes.len() > 60 {
        // LosFormatter around a BinaryFormatter stream; plain view states begin otherwise.
        evidence.note(Kind::Semantics, 65, "los-formatter");
    }
}

/// `O:8:"stdClass":1:{…}`: PHP's serialize(), read by its grammar.
fn php(value: &Value<'_>, words: u32, evidence: &mut Evidence) {
    let lower = value.lower;
    if words & PHAR_STUB != 0 {
        evidence.note(Kind::Semantics, 40, "phar-stub");
        if has(lower, b"<?php") {
            evidence.note(Kind::Structure, 30, "php-tag");
        }
    }
    let mut at = 0;
    while let Some(found) = lower
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'o', b'c', rest))
    {
        let here = at + found;
        at = here + 1;
        if lower.get(here + 1) != Some(&b':') {
            continue;
        }
        let before = here.checked_sub(1).and_then(|index| lower.get(index));
        if before.is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if let Some(exact) = php_object(lower, here + 2) {
            evidence.note_at(
                Kind::Semantics,
                if exact { 60 } else { 50 },
                "php-object",
                here..here + 2,
            );
            evidence.note(Kind::Structure, if exact { 25 } else { 15 }, "serialized");
            return;
        }
    }
}

/// `8:"stdClass":1:{` at `at`; true when the length is that of the name.
fn php_object(lower: &[u8], at: usize) -> Option<bool> {
    let signed = usize::from(lower.get(at) == Some(&b'+'));
    let digits = run(lower, at + signed, |byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let mut from = at + signed + digits.len();
    if lower.get(from) != Some(&b':') {
        return None;
    }
    from += 1;
    let escaped = usize::from(lower.get(from) == Some(&b'\\'));
    let quote = lower.get(from + escaped)?;
    if !matches!(quote, b'"' | b'\'' | b'%') {
        return None;
    }
    from += escaped + 1;
    let name = run(lower, from, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\' | b'*') || byte >= 0x80
    });
    if name.is_empty() || name.len() > 256 {
        return None;
    }
    let after = lower.get(from + name.len() - escaped.min(name.len())..)?;
    let after = after.get(after.iter().take(3).position(|byte| *byte == b':')? + 1..)?;
    let count = run(after, 0, |byte| byte.is_ascii_digit());
    let opens = after.get(count.len()) == Some(&b':') && after.get(count.len() + 1) == Some(&b'{');
    (opens && !count.is_empty()).then_some(length == name.len())
}

/// Python's pickle: a GLOBAL of a telling module, and a REDUCE that calls it.
fn pickle(value: &Value<'_>, words: u32, evidence: &mut Evidence) {
    let bytes = value.bytes;
    let lower = value.lower;
    let protocol = matches!(bytes, [0x80, 1..=5, ..]);
    let ends = trim(bytes).ends_with(b".");
    let module = if words & PICKLE != 0 {
        any_of(lower, PICKLE_MODULES)
    } else {
        None
    };
    let reduces = (module.is_some() || protocol)
        && bytes.windows(2).any(|pair| {
            matches!(
                pair,
                [b'R', b'.' | b'q' | b'\n' | 0x94 | b'p' | b'0']
                    | [b't' | 0x85..=0x87, b'R']
                    | [b'o' | b'b' | 0x81, b'.']
            )
        });
    if let Some(name) = module {
        let at = find(lower, name.as_bytes(), 0).unwrap_or_default();
        let global = at.checked_sub(1).and_then(|index| bytes.get(index)) == Some(&b'c')
            || name.starts_with("c") && name.ends_with('\n')
            || name.starts_with('(')
            || (protocol && (bytes.contains(&0x93) || bytes.contains(&b'c')));
        if global && (reduces || name.starts_with("(i")) {
            evidence.note_at(Kind::Semantics, 60, "pickle-call", at..at + name.len());
            evidence.note(
                Kind::Structure,
                if protocol || ends { 25 } else { 10 },
                "pickle",
            );
        }
    } else if protocol && ends && reduces && bytes.len() > 16 && bytes.contains(&b'c') {
        evidence.note(Kind::Semantics, 45, "pickle-call");
        evidence.note(Kind::Structure, 20, "pickle");
    }
    if words & REDUCE != 0 {
        evidence.note(Kind::Semantics, 35, "reduce-method");
        if any_of(lower, &["os.system", "subprocess", "popen", "eval", "exec"]).is_some() {
            evidence.note(Kind::Target, 30, "runs-code");
        }
    }
}

/// Ruby's Marshal (4, 8) with an object, and YAML that names a class.
fn ruby(value: &Value<'_>, words: u32, evidence: &mut Evidence) {
    if let [4, 8, kind, rest @ ..] = value.bytes {
        let object = matches!(kind, b'o' | b'c' | b'e' | b'U' | b'u' | b'C' | b'S');
        let holds = matches!(kind, b'[' | b'{' | b'I')
            && (has(rest, b"o:") || has(rest, b"U:") || has(rest, b"c\x15") || has(rest, b"u:"));
        if object || holds {
            evidence.note(Kind::Semantics, 75, "ruby-marshal");
        }
    }
    if value.bytes.starts_with(b"BAhv")
        || value.bytes.starts_with(b"BAhb")
        || value.bytes.starts_with(b"BAhV")
    {
        evidence.note(Kind::Semantics, 45, "ruby-marshal");
        if value.bytes.len() >= 40 {
            evidence.note(Kind::Structure, 20, "base64");
        }
    }
    if words & RUBY_TAG != 0
        && let Some(at) = find(value.lower, b"!ruby/", 0)
    {
        let tag = run(value.bytes, at + 6, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-')
        });
        evidence.note_at(Kind::Semantics, 40, "ruby-tag", at..at + 6 + tag.len());
        if tag.contains(&b':') || tag.starts_with(b"marshalable") {
            evidence.note(Kind::Structure, 35, "class-in-tag");
        }
    }
}

/// YAML tags of Python and Java.
fn yaml(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    for lead in [b"!!".as_slice(), b"tag:yaml.org,2002:"] {
        for here in memchr::memmem::find_iter(lower, lead) {
            let at = here + lead.len();
            let tag = run(lower, at, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b':' | b'$')
            });
            let dots = tag.iter().filter(|byte| **byte == b'.').count();
            if tag.starts_with(b"python/") && tag.len() > 8 {
                evidence.note_at(Kind::Semantics, 45, "python-tag", here..at + tag.len());
                if dots > 0
                    || has(tag, b"apply")
                    || has(tag, b"new")
                    || has(tag, b"name:")
                    || has(tag, b"module:")
                {
                    evidence.note(Kind::Structure, 30, "callable-in-tag");
                }
            } else if dots >= 1
                && JAVA_ROOTS
                    .iter()
                    .any(|root| tag.starts_with(root.as_bytes()))
            {
                evidence.note_at(Kind::Semantics, 45, "java-tag", here..at + tag.len());
                let next = lower
                    .get(at + tag.len()..)
                    .unwrap_or_default()
                    .trim_ascii_start();
                if matches!(next.first(), Some(b'[' | b'{' | b'\'' | b'"' | b'!')) || dots >= 2 {
                    evidence.note(Kind::Structure, 30, "constructor");
                }
            }
        }
    }
}

/// Functions inside serialized JavaScript.
fn functions(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    if let Some(at) = find(lower, b"_$$nd_func$$_", 0) {
        evidence.note_at(Kind::Semantics, 60, "serialized-function", at..at + 13);
        if has(lower, b"function") || has(lower, b"=>") || has(lower, b"require") {
            evidence.note(Kind::Structure, 25, "function-body");
        }
    } else if has(lower, b"__js_function") || has(lower, b"_$$nd_") {
        evidence.note(Kind::Semantics, 60, "serialized-function");
    }
}

/// Class names of known gadgets.
fn classes(value: &Value<'_>, words: u32, evidence: &mut Evidence) {
    let name = value.path.last_name().unwrap_or_default();
    let tag = TYPE_NAMES.contains(&name);
    let is_name = value.is_name();
    if words & GADGET != 0 {
        evidence.note(Kind::Target, 45, "gadget-class");
        if tag {
            evidence.note(Kind::Hint, 35, "type-tag");
        }
        let whole = !trim(value.lower).iter().any(u8::is_ascii_whitespace)
            && value.lower.len() < 200
            && has(value.lower, b".");
        if whole {
            evidence.note(Kind::Position, 20, "whole-value");
        }
    } else if words & PACKAGE != 0 && tag && !is_name {
        evidence.note(Kind::Target, 30, "library-class");
        evidence.note(Kind::Hint, 35, "type-tag");
    }
    if words & RUNNER != 0 && words & FUNCTOR != 0 {
        evidence.note(Kind::Target, 30, "runner-class");
        evidence.note(Kind::Semantics, 40, "functor");
    } else if words & RUNNER != 0 && tag {
        evidence.note(Kind::Target, 40, "runner-class");
        evidence.note(Kind::Hint, 35, "type-tag");
    }
    if words & TYPE_TAG != 0 && words & (GADGET | RUNNER | PACKAGE) != 0 {
        evidence.note(Kind::Structure, 35, "type-tag");
    }
}

/// Names of members that carry a class.
const TYPE_NAMES: &[&[u8]] = &[
    b"@type",
    b"$type",
    b"@class",
    b"__type",
    b"class",
    b"@clazz",
    b"py/object",
    b"py/reduce",
    b"_class",
    b"javaClass",
    b"type",
    b"java_class",
    b"className",
    b"val",
];

static WORDS: LazyLock<WordSets> = LazyLock::new(|| {
    WordSets::new(&[
        GADGETS,
        PACKAGES,
        RUNNERS,
        FUNCTORS,
        TYPE_TAGS,
        PICKLE_MODULES,
        &["ro0ab"],
        &["__halt_compiler"],
        &["__reduce__", "__reduce_ex__"],
        &["!ruby/"],
        &["!!", "tag:yaml.org,2002:"],
        &["_$$nd_", "__js_function"],
    ])
});
const GADGET: u32 = 1;
const PACKAGE: u32 = 1 << 1;
const RUNNER: u32 = 1 << 2;
const FUNCTOR: u32 = 1 << 3;
const TYPE_TAG: u32 = 1 << 4;
const PICKLE: u32 = 1 << 5;
const JAVA_STREAM: u32 = 1 << 6;
const PHAR_STUB: u32 = 1 << 7;
const REDUCE: u32 = 1 << 8;
const RUBY_TAG: u32 = 1 << 9;
const YAML_TAG: u32 = 1 << 10;
const FUNCTION: u32 = 1 << 11;
