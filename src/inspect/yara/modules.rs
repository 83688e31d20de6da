//! Modules beyond those that the engine brings along: they say of every body what they say of one about which nothing
//! more is known.
//!
//! `androguard` and `magic` judge what other programs say of an Android package and of a file. Nothing is known of either
//! here, so their answers are undefined, and rules that have other evidence load and work; rules that have no other can
//! never be true, and are named (`YaraSet::mute`).
//!
//! `cuckoo` judges the report of a sandbox. There is none here, and then the reference engine's functions answer 0 as
//! well: rules that have other evidence load and work. `console` prints; its functions are true and print nothing, since
//! payload bytes have no business in a log.

use std::collections::HashMap;

use boreal::Compiler;
use boreal::compiler::CompilerBuilder;
use boreal::module::{EvalContext, Module, StaticValue, Type, Value};

/// A compiler that knows all modules.
pub(super) fn compiler() -> Compiler {
    CompilerBuilder::new()
        .add_module(Cuckoo)
        .add_module(Console)
        .add_module(Androguard)
        .add_module(Magic)
        .build()
}

#[derive(Debug)]
struct Cuckoo;

impl Module for Cuckoo {
    fn get_name(&self) -> &'static str {
        "cuckoo"
    }

    fn get_static_values(&self) -> HashMap<&'static str, StaticValue> {
        let asked = || StaticValue::function(no, vec![vec![Type::Regex]], Type::Integer);
        let asked_port = || {
            let arguments = vec![vec![Type::Regex, Type::Integer]];
            StaticValue::function(no, arguments, Type::Integer)
        };
        [
            (
                "network",
                StaticValue::object([
                    ("dns_lookup", asked()),
                    ("http_get", asked()),
                    ("http_post", asked()),
                    ("http_request", asked()),
                    ("http_user_agent", asked()),
                    ("host", asked()),
                    ("tcp", asked_port()),
                    ("udp", asked_port()),
                ]),
            ),
            ("registry", StaticValue::object([("key_access", asked())])),
            (
                "filesystem",
                StaticValue::object([("file_access", asked())]),
            ),
            ("sync", StaticValue::object([("mutex", asked())])),
        ]
        .into()
    }
}

fn no(_: &mut EvalContext, _: Vec<Value>) -> Option<Value> {
    Some(Value::Integer(0))
}

/// Modules whose answers are never known.
pub(super) const MUTE: &[&str] = &["androguard", "magic"];

fn unknown(_: &mut EvalContext, _: Vec<Value>) -> Option<Value> {
    None
}

/// A function of one argument, bytes or a regular expression.
fn asks() -> StaticValue {
    let arguments = vec![vec![Type::Regex], vec![Type::Bytes]];
    StaticValue::function(unknown, arguments, Type::Integer)
}

#[derive(Debug)]
struct Magic;

impl Module for Magic {
    fn get_name(&self) -> &'static str {
        "magic"
    }

    fn get_static_values(&self) -> HashMap<&'static str, StaticValue> {
        let asked = || StaticValue::function(unknown, vec![Vec::new()], Type::Bytes);
        [("type", asked()), ("mime_type", asked())].into()
    }
}

#[derive(Debug)]
struct Androguard;

impl Module for Androguard {
    fn get_name(&self) -> &'static str {
        "androguard"
    }

    fn get_static_values(&self) -> HashMap<&'static str, StaticValue> {
        let functions = [
            "package_name",
            "app_name",
            "activity",
            "main_activity",
            "permission",
            "service",
            "receiver",
            "provider",
            "filter",
            "url",
            "displayed_version",
        ];
        let mut values: HashMap<_, _> = functions.map(|name| (name, asks())).into();
        let facts = ["issuer", "subject", "sha1", "not_before", "not_after"];
        let certificate = StaticValue::Object(facts.map(|name| (name, asks())).into());
        values.insert("certificate", certificate);
        let code = || {
            let places = ["code", "class", "method"];
            StaticValue::Object(places.map(|name| (name, asks())).into())
        };
        let traits = [
            "crypto",
            "dynamic_broadcast",
            "dynamic_library",
            "dynamic_code",
            "imei",
            "imsi",
            "installed_app",
            "mcc",
            "mnc",
            "native_methods",
            "phone_call",
            "phone_number",
            "run_binary",
            "sms",
            "socket",
            "ssl",
        ];
        let functionality = StaticValue::Object(traits.map(|name| (name, code())).into());
        values.insert("functionality", functionality);
        values
    }

    fn get_dynamic_types(&self) -> HashMap<&'static str, Type> {
        let numbers = ["min_sdk", "max_sdk", "target_sdk", "permissions_number"];
        numbers.map(|name| (name, Type::Integer)).into()
    }
}

#[derive(Debug)]
struct Console;

impl Module for Console {
    fn get_name(&self) -> &'static str {
        "console"
    }

    fn get_static_values(&self) -> HashMap<&'static str, StaticValue> {
        let shown = [Type::Bytes, Type::Integer, Type::Float];
        let one = shown.iter().map(|kind| vec![kind.clone()]);
        let named = shown.iter().map(|kind| vec![Type::Bytes, kind.clone()]);
        let numbers = vec![vec![Type::Integer], vec![Type::Bytes, Type::Integer]];
        [
            (
                "log",
                StaticValue::function(yes, one.chain(named).collect(), Type::Integer),
            ),
            ("hex", StaticValue::function(yes, numbers, Type::Integer)),
        ]
        .into()
    }
}

fn yes(_: &mut EvalContext, _: Vec<Value>) -> Option<Value> {
    Some(Value::Integer(1))
}
