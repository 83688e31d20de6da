//! Modules beyond those that the engine brings along: they say of every body what they say of one about which nothing
//! more is known.
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
