//! Names that reach a JavaScript object's prototype, as a member, a nested form name or a property path.

/// True when `name`, given to a member of the object called `parent`, would set a property of a prototype once merged
/// into a JavaScript object: `__proto__`, `constructor.prototype`, and paths that hold them (`a[__proto__][b]`).
pub(crate) fn reaches_prototype(name: &[u8], parent: Option<&[u8]>) -> bool {
    // Both names hold `proto`; hardly any other name does.
    let holds = |at: usize| {
        name.get(at..)
            .is_some_and(|rest| rest.starts_with(b"proto"))
    };
    if name.len() < PROTOTYPE.len() || !memchr::memchr_iter(b'p', name).any(holds) {
        return false;
    }
    let mut before = parent.unwrap_or_default();
    for step in name.split(|byte| b".[]/'\"`".contains(byte)) {
        if step.is_empty() {
            continue;
        }
        if step == PROTO || (step == PROTOTYPE && before == CONSTRUCTOR) {
            return true;
        }
        before = step;
    }
    false
}

/// The cheap half of [`reaches_prototype`]: both names hold `proto`, and hardly any other name does.
#[inline]
pub(crate) fn may_reach_prototype(name: &[u8]) -> bool {
    let holds = |at: usize| {
        name.get(at..)
            .is_some_and(|rest| rest.starts_with(b"proto"))
    };
    name.len() >= PROTOTYPE.len() && memchr::memchr_iter(b'p', name).any(holds)
}

const PROTO: &[u8] = b"__proto__";
const PROTOTYPE: &[u8] = b"prototype";
const CONSTRUCTOR: &[u8] = b"constructor";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_on_the_way_to_a_prototype_count() {
        let table: [(&str, Option<&str>, bool); 12] = [
            ("__proto__", None, true),
            ("__proto__.polluted", None, true),
            ("a[__proto__][b]", None, true),
            ("a.__proto__.b", Some("x"), true),
            ("constructor[prototype][x]", None, true),
            ("constructor.prototype.x", None, true),
            ("prototype", Some("constructor"), true),
            ("/constructor/prototype/x", None, true),
            ("prototype", None, false),
            ("constructor", None, false),
            ("prototype_id", Some("constructor"), false),
            ("my__proto__col", None, false),
        ];
        for (name, parent, expected) in table {
            let parent = parent.map(str::as_bytes);
            assert_eq!(
                reaches_prototype(name.as_bytes(), parent),
                expected,
                "{name}"
            );
        }
    }
}
