//! From a rule's condition to its [`Need`], by the syntax tree.
//!
//! Soundness rests on two facts of YARA's semantics: an undefined value makes the comparison it stands in false, and
//! `not` is the only way to turn false into true. Below `not` (and in anything that is not named here) nothing is
//! concluded. The depth of the tree is bounded by the parser's limit on recursion.

use std::collections::BTreeMap;

use boreal_parser::expression::{
    Expression, ExpressionKind as Kind, ForIterator, ForSelection, Identifier,
    IdentifierOperationType, ReadIntegerType, RuleSet, VariableSet,
};
use boreal_parser::rule::{Rule, VariableDeclaration};

use crate::inspect::yara::modules::MUTE;
use crate::inspect::yara::need::{Magic, Need};
use crate::inspect::yara::strings;

/// Needs of the rules of a namespace that came before, by name.
pub(super) type Known = BTreeMap<String, Need>;

/// What must hold of a body before `rule` can match it.
pub(super) fn need(rule: &Rule, known: &Known) -> Need {
    let context = Context {
        variables: &rule.variables,
        needs: rule
            .variables
            .iter()
            .map(|variable| {
                let strings = Need::strings(strings::necessary(variable));
                strings.and(Need::bytes(strings::bytes(variable)))
            })
            .collect(),
        known,
    };
    context.truth(&rule.condition, &Scope::default())
}

struct Context<'a> {
    variables: &'a [VariableDeclaration],
    needs: Vec<Need>,
    known: &'a Known,
}

/// What names mean at some place in the tree.
#[derive(Clone, Default)]
struct Scope {
    /// What `$` stands for inside `for … of`.
    current: Option<usize>,
    /// Names bound by `for … in`; they hide rules and modules.
    bound: Vec<String>,
}

impl Context<'_> {
    /// What must hold when `expression` is true.
    fn truth(&self, expression: &Expression, scope: &Scope) -> Need {
        match &expression.expr {
            Kind::And(all) => all
                .iter()
                .map(|one| self.truth(one, scope))
                .fold(Need::nothing(), Need::and),
            Kind::Or(any) => any
                .iter()
                .map(|one| self.truth(one, scope))
                .reduce(Need::or)
                .unwrap_or(Need::nothing()),
            Kind::Variable(name) | Kind::Count(name) => self.variable(name, scope),
            Kind::VariableIn { variable_name, .. } | Kind::CountInRange { variable_name, .. } => {
                self.variable(variable_name, scope)
            }
            Kind::VariableAt {
                variable_name,
                offset,
                ..
            } => self.at(variable_name, offset, scope),
            Kind::For {
                selection,
                set,
                body,
            } => {
                let needs = self.members(set).into_iter().map(|index| match body {
                    None => self.needs.get(index).cloned().unwrap_or(Need::nothing()),
                    Some(body) => self.truth(
                        body,
                        &Scope {
                            current: Some(index),
                            bound: scope.bound.clone(),
                        },
                    ),
                });
                selected(selection, needs.collect())
            }
            Kind::ForIn { selection, set, .. } | Kind::ForAt { selection, set, .. } => {
                let members = self.members(set);
                let needs = members
                    .into_iter()
                    .filter_map(|index| self.needs.get(index).cloned());
                selected(selection, needs.collect())
            }
            Kind::ForIdentifiers {
                selection,
                identifiers,
                iterator,
                body,
                ..
            } => self.for_identifiers(selection, (identifiers, iterator), body, scope),
            Kind::ForRules { selection, set } => selected(selection, self.rules(set)),
            Kind::Cmp {
                left,
                right,
                less_than,
                can_be_equal,
            } => {
                let order = match less_than {
                    true => Order::Less,
                    false => Order::Greater,
                };
                self.comparison(left, right, scope)
                    .and(match order {
                        Order::Less => self.counted(right, (left, *can_be_equal), scope),
                        Order::Greater => self.counted(left, (right, *can_be_equal), scope),
                    })
                    .and(self.ordered(left, order, bound(right, *can_be_equal, order), scope))
                    .and(self.ordered(
                        right,
                        order.turned(),
                        bound(left, *can_be_equal, order.turned()),
                        scope,
                    ))
            }
            Kind::Eq(left, right) => self
                .comparison(left, right, scope)
                .and(self.equal(left, right, scope))
                .and(self.equal(right, left, scope)),
            Kind::NotEq(left, right) | Kind::IEquals(left, right) => {
                self.comparison(left, right, scope)
            }
            Kind::Contains {
                haystack, needle, ..
            } => self.comparison(haystack, needle, scope),
            Kind::StartsWith { expr, prefix, .. } => self.comparison(expr, prefix, scope),
            Kind::EndsWith { expr, suffix, .. } => self.comparison(expr, suffix, scope),
            Kind::Matches(value, _) | Kind::Defined(value) => self.defined(value, scope),
            Kind::Identifier(identifier) => self.identifier(identifier, scope),
            Kind::Offset { .. } | Kind::Length { .. } => self.defined(expression, scope),
            Kind::Filesize
            | Kind::Entrypoint
            | Kind::ReadInteger { .. }
            | Kind::Integer(_)
            | Kind::Double(_)
            | Kind::Neg(_)
            | Kind::Add(..)
            | Kind::Sub(..)
            | Kind::Mul(..)
            | Kind::Div(..)
            | Kind::Mod(..)
            | Kind::BitwiseXor(..)
            | Kind::BitwiseAnd(..)
            | Kind::BitwiseOr(..)
            | Kind::BitwiseNot(_)
            | Kind::ShiftLeft(..)
            | Kind::ShiftRight(..)
            | Kind::Not(_)
            | Kind::Boolean(_)
            | Kind::Bytes(_)
            | Kind::Regex(_) => Need::nothing(),
        }
    }

    /// What must hold when `expression` has a value at all.
    fn defined(&self, expression: &Expression, scope: &Scope) -> Need {
        match &expression.expr {
            // The offset and length of a match are undefined where there is none.
            Kind::Offset { variable_name, .. } | Kind::Length { variable_name, .. } => {
                self.variable(variable_name, scope)
            }
            Kind::ReadInteger { ty, addr } => match integer(addr) {
                Some(address) => Need::size(address.saturating_add(width(*ty)), u64::MAX),
                None => self.defined(addr, scope),
            },
            Kind::Add(a, b)
            | Kind::Sub(a, b)
            | Kind::Mul(a, b)
            | Kind::Div(a, b)
            | Kind::Mod(a, b)
            | Kind::BitwiseAnd(a, b)
            | Kind::BitwiseOr(a, b)
            | Kind::BitwiseXor(a, b)
            | Kind::ShiftLeft(a, b)
            | Kind::ShiftRight(a, b) => self.defined(a, scope).and(self.defined(b, scope)),
            Kind::Neg(inner) | Kind::BitwiseNot(inner) => self.defined(inner, scope),
            Kind::Identifier(identifier) if !scope.bound.contains(&identifier.name) => {
                module_value(identifier)
            }
            _ => Need::nothing(),
        }
    }

    fn comparison(&self, left: &Expression, right: &Expression, scope: &Scope) -> Need {
        self.defined(left, scope).and(self.defined(right, scope))
    }

    /// A sum of counts that is above something that is never below zero: one of them is not zero.
    fn counted(
        &self,
        greater: &Expression,
        (less, can_be_equal): (&Expression, bool),
        scope: &Scope,
    ) -> Need {
        let above = match can_be_equal {
            true => integer(less).is_some_and(|number| number > 0),
            false => is_natural(less),
        };
        let counts = summands(greater).filter(|_| above).unwrap_or_default();
        let needs = counts.into_iter().map(|name| self.variable(name, scope));
        needs.reduce(Need::or).unwrap_or(Need::nothing())
    }

    /// `value` compares as `order` says with the nearest number that it may have.
    fn ordered(
        &self,
        value: &Expression,
        order: Order,
        nearest: Option<u64>,
        scope: &Scope,
    ) -> Need {
        let Some(nearest) = nearest else {
            return Need::nothing();
        };
        match (&value.expr, order) {
            (Kind::Filesize, Order::Less) => Need::size(0, nearest),
            (Kind::Filesize, Order::Greater) => Need::size(nearest, u64::MAX),
            (Kind::Count(name), Order::Greater) if nearest >= 1 => self.variable(name, scope),
            (Kind::CountInRange { variable_name, .. }, Order::Greater) if nearest >= 1 => {
                self.variable(variable_name, scope)
            }
            _ => Need::nothing(),
        }
    }

    fn equal(&self, value: &Expression, number: &Expression, scope: &Scope) -> Need {
        let Some(number) = integer(number) else {
            return Need::nothing();
        };
        match &value.expr {
            Kind::Filesize => Need::size(number, number),
            Kind::Count(name) if number >= 1 => self.variable(name, scope),
            Kind::CountInRange { variable_name, .. } if number >= 1 => {
                self.variable(variable_name, scope)
            }
            Kind::ReadInteger { ty, addr } => integer(addr)
                .and_then(|address| Magic::new(address, &stored(*ty, number)?))
                .map_or(Need::nothing(), |magic| Need::magic(vec![magic])),
            _ => Need::nothing(),
        }
    }

    fn at(&self, name: &str, offset: &Expression, scope: &Scope) -> Need {
        let need = self.variable(name, scope);
        let declared = self
            .index(name, scope)
            .and_then(|index| self.variables.get(index));
        let magic = integer(offset)
            .zip(declared.and_then(strings::beginning))
            .and_then(|(offset, bytes)| Magic::new(offset, bytes.get(..16).unwrap_or(&bytes)));
        match magic {
            Some(magic) => need.and(Need::magic(vec![magic])),
            None => need,
        }
    }

    fn for_identifiers(
        &self,
        selection: &ForSelection,
        (identifiers, iterator): (&[String], &ForIterator),
        body: &Expression,
        scope: &Scope,
    ) -> Need {
        let once = match selection {
            ForSelection::Any => true,
            // `all` of nothing may be true without the body.
            ForSelection::All | ForSelection::None => false,
            ForSelection::Expr { expr, as_percent } => {
                !as_percent && integer(expr).is_some_and(|count| count >= 1)
            }
        };
        if !once {
            return Need::nothing();
        }
        let mut bound = scope.bound.clone();
        bound.extend_from_slice(identifiers);
        let inner = Scope {
            current: scope.current,
            bound,
        };
        let source = match iterator {
            ForIterator::Identifier(identifier) if !scope.bound.contains(&identifier.name) => {
                module_value(identifier)
            }
            ForIterator::Identifier(_) | ForIterator::Range { .. } | ForIterator::List(_) => {
                Need::nothing()
            }
        };
        source.and(self.truth(body, &inner))
    }

    fn identifier(&self, identifier: &Identifier, scope: &Scope) -> Need {
        if scope.bound.contains(&identifier.name) {
            return Need::nothing();
        }
        if identifier.operations.is_empty() {
            return self
                .known
                .get(&identifier.name)
                .cloned()
                .unwrap_or(Need::nothing());
        }
        module_truth(identifier)
    }

    fn variable(&self, name: &str, scope: &Scope) -> Need {
        self.index(name, scope)
            .and_then(|index| self.needs.get(index))
            .cloned()
            .unwrap_or(Need::nothing())
    }

    fn index(&self, name: &str, scope: &Scope) -> Option<usize> {
        if name.is_empty() {
            return scope.current;
        }
        self.variables
            .iter()
            .position(|variable| variable.name == name)
    }

    /// Strings of a set; none written means all.
    fn members(&self, set: &VariableSet) -> Vec<usize> {
        let chosen = |variable: &VariableDeclaration| {
            set.elements.is_empty()
                || set
                    .elements
                    .iter()
                    .any(|element| match element.is_wildcard {
                        true => variable.name.starts_with(&element.name),
                        false => variable.name == element.name,
                    })
        };
        (0..self.variables.len())
            .filter(|index| self.variables.get(*index).is_some_and(chosen))
            .collect()
    }

    fn rules(&self, set: &RuleSet) -> Vec<Need> {
        let chosen = |name: &str| {
            set.elements
                .iter()
                .any(|element| match element.is_wildcard {
                    true => name.starts_with(&element.name),
                    false => name == element.name,
                })
        };
        self.known
            .iter()
            .filter(|(name, _)| chosen(name))
            .map(|(_, need)| need.clone())
            .collect()
    }
}

/// Which side of a comparison a value must be on.
#[derive(Clone, Copy)]
enum Order {
    Less,
    Greater,
}

impl Order {
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
        }
    }
}

/// The last number that a value may have to be `order` than `limit`.
fn bound(limit: &Expression, can_be_equal: bool, order: Order) -> Option<u64> {
    let limit = integer(limit)?;
    match (can_be_equal, order) {
        (true, _) => Some(limit),
        (false, Order::Less) => Some(limit.saturating_sub(1)),
        (false, Order::Greater) => limit.checked_add(1),
    }
}

fn selected(selection: &ForSelection, needs: Vec<Need>) -> Need {
    let count = match selection {
        ForSelection::Any => 1,
        ForSelection::All => needs.len(),
        ForSelection::None => 0,
        ForSelection::Expr { expr, as_percent } => match (integer(expr), as_percent) {
            (Some(percent), true) if percent > 0 => 1,
            (Some(count), false) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => 0,
        },
    };
    Need::at_least(needs, count)
}

fn integer(expression: &Expression) -> Option<u64> {
    match expression.expr {
        Kind::Integer(value) => u64::try_from(value).ok(),
        _ => None,
    }
}

/// The names of counts, if that is all that is added.
fn summands(sum: &Expression) -> Option<Vec<&str>> {
    // The depth of the tree is bounded by the parser.
    match &sum.expr {
        Kind::Count(name) => Some(vec![name]),
        Kind::CountInRange { variable_name, .. } => Some(vec![variable_name]),
        Kind::Add(a, b) => Some([summands(a)?, summands(b)?].concat()),
        _ => None,
    }
}

/// True for what is never below zero.
fn is_natural(value: &Expression) -> bool {
    match &value.expr {
        Kind::Filesize | Kind::Count(_) | Kind::CountInRange { .. } => true,
        // Counts are capped, and numbers as written here are small: no sum of some of them turns negative.
        Kind::Integer(number) => (0..i64::from(u32::MAX)).contains(number),
        Kind::Add(a, b) => is_natural(a) && is_natural(b),
        _ => false,
    }
}

fn width(ty: ReadIntegerType) -> u64 {
    use ReadIntegerType::{
        Int8, Int16, Int16BE, Int32, Int32BE, Uint8, Uint16, Uint16BE, Uint32, Uint32BE,
    };
    match ty {
        Int8 | Uint8 => 1,
        Int16 | Int16BE | Uint16 | Uint16BE => 2,
        Int32 | Int32BE | Uint32 | Uint32BE => 4,
    }
}

/// The bytes that read as `number`. `None` when no bytes do, or for numbers whose sign would have to be thought about.
fn stored(ty: ReadIntegerType, number: u64) -> Option<Vec<u8>> {
    use ReadIntegerType::{
        Int8, Int16, Int16BE, Int32, Int32BE, Uint8, Uint16, Uint16BE, Uint32, Uint32BE,
    };
    match ty {
        Int8 | Uint8 => u8::try_from(number).ok().map(|value| vec![value]),
        Int16 | Uint16 => u16::try_from(number)
            .ok()
            .map(|value| value.to_le_bytes().to_vec()),
        Int16BE | Uint16BE => u16::try_from(number)
            .ok()
            .map(|value| value.to_be_bytes().to_vec()),
        Int32 | Uint32 => u32::try_from(number)
            .ok()
            .map(|value| value.to_le_bytes().to_vec()),
        Int32BE | Uint32BE => u32::try_from(number)
            .ok()
            .map(|value| value.to_be_bytes().to_vec()),
    }
}

/// A module's value is true: the body is of the module's type.
fn module_truth(identifier: &Identifier) -> Need {
    if first_field(identifier).is_some_and(is_constant) {
        return Need::nothing();
    }
    type_of(&identifier.name)
}

/// A module's value is defined: the body is of the module's type, unless the value is there for every body.
fn module_value(identifier: &Identifier) -> Need {
    match first_field(identifier) {
        // Flags that say "no", and constants, are there always; the functions of `rich_signature` answer 0.
        Some(field)
            if is_constant(field) || matches!(field, "is_pe" | "is_dotnet" | "rich_signature") =>
        {
            Need::nothing()
        }
        Some(_) => type_of(&identifier.name),
        None => Need::nothing(),
    }
}

fn first_field(identifier: &Identifier) -> Option<&str> {
    match identifier.operations.first().map(|operation| &operation.op) {
        Some(IdentifierOperationType::Subfield(name)) => Some(name),
        Some(IdentifierOperationType::Subscript(_) | IdentifierOperationType::FunctionCall(_))
        | None => None,
    }
}

fn is_constant(field: &str) -> bool {
    !field.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// How a body begins that the module can read.
fn type_of(module: &str) -> Need {
    let magics: &[&[u8]] = match module {
        "pe" | "dotnet" => &[b"MZ"],
        "elf" => &[b"\x7fELF"],
        "dex" => &[b"dex\n"],
        "macho" => &[
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"\xca\xfe\xba\xbf",
            b"\xbe\xba\xfe\xca",
            b"\xbf\xba\xfe\xca",
        ],
        unknown if MUTE.contains(&unknown) => return Need::never(),
        _ => return Need::nothing(),
    };
    Need::magic(
        magics
            .iter()
            .filter_map(|bytes| Magic::new(0, bytes))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::yara::bytes::ByteSet;
    use crate::inspect::yara::need::Sight;
    use boreal_parser::file::YaraFileComponent;

    fn of(text: &str) -> Need {
        let file = boreal_parser::parse(text).expect("parses");
        let mut known = Known::new();
        let mut last = Need::nothing();
        for component in file.components {
            if let YaraFileComponent::Rule(rule) = component {
                last = need(&rule, &known);
                known.insert(rule.name.clone(), last.clone());
            }
        }
        last
    }

    fn condition(text: &str) -> Need {
        of(&format!(
            "import \"pe\" rule z {{ strings: $a = \"alpha1\" $b = \"bravo2\" $c = \"charlie3\" $mz = {{4D 5A}} condition: {text} or (($a or $b or $c or $mz) and false and {text}) }}"
        ))
    }

    /// `None` when a clause asks for no string.
    fn texts(need: &Need) -> Option<Vec<String>> {
        let lists = need.clauses().iter().map(|clause| clause.strings.as_ref());
        let lists: Option<Vec<_>> = lists.collect();
        let mut texts: Vec<_> = lists?
            .into_iter()
            .flatten()
            .map(|pattern| String::from_utf8_lossy(&pattern.bytes).into_owned())
            .collect();
        texts.sort();
        Some(texts)
    }

    fn plain(text: &str) -> Need {
        of(&format!(
            "import \"pe\" rule z {{ strings: $a = \"alpha1\" $b = \"bravo2\" $c = \"charlie3\" $mz = {{4D 5A}} condition: {text} }}"
        ))
    }

    #[test]
    fn proves_the_strings_that_a_condition_needs() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("$a", Some(&["alpha1"])),
            ("$a and $c", Some(&["charlie3"])),
            ("$a or $b", Some(&["alpha1", "bravo2"])),
            ("not $a", None),
            ("$a or filesize < 10", None),
            ("any of ($a,$b)", Some(&["alpha1", "bravo2"])),
            ("2 of ($a,$b,$c)", Some(&["alpha1", "charlie3"])),
            ("all of ($a,$b)", Some(&["alpha1"])),
            ("none of ($a,$b)", None),
            ("0 of ($a,$b)", None),
            ("any of them", None),
            ("uint16(0) == 0x5A4D or $a", None),
            (
                "(uint16(0) == 0x5A4D or $a) and $c",
                Some(&["charlie3", "charlie3"]),
            ),
            ("#a > #b + #c", Some(&["alpha1"])),
            ("#a + #b > #c", Some(&["alpha1", "bravo2"])),
            ("#a + #b >= 1", Some(&["alpha1", "bravo2"])),
            ("#a + #b >= 0", None),
            ("#a + #b >= #c", None),
            ("#a > 0 - 1", None),
            ("#a + 1 > #c", None),
            ("#a > 0", Some(&["alpha1"])),
            ("#a >= 0", None),
            ("0 < #a", Some(&["alpha1"])),
            ("#a == 0", None),
            ("#a < 3", None),
            ("#a > #b", Some(&["alpha1"])),
            ("#a < #b", Some(&["bravo2"])),
            ("#a >= #b", None),
            ("@a[1] < 100", Some(&["alpha1"])),
            (
                "for any of ($a,$b) : ( # > 2 )",
                Some(&["alpha1", "bravo2"]),
            ),
            ("for all of ($a,$b) : ( $ at 0 or filesize > 1 )", None),
            ("for any i in (1..#a) : ( @a[i] < 5 )", Some(&["alpha1"])),
            ("for all i in (1..#a) : ( @a[i] < 5 )", None),
            ("$mz at 0 and $b", Some(&["bravo2"])),
        ];
        for (text, wanted) in table {
            let wanted = wanted.map(|list| {
                list.iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>()
            });
            assert_eq!(texts(&plain(text)), wanted, "{text}");
        }
    }

    #[test]
    fn proves_magic_and_size() {
        let clauses = |text: &str| plain(text).clauses().to_vec();
        let magic = |text: &str| {
            let clauses = clauses(text);
            assert_eq!(clauses.len(), 1, "{text}");
            clauses[0].magic.as_ref().map(Vec::len)
        };
        assert_eq!(magic("uint16(0) == 0x5A4D and $a"), Some(1));
        assert_eq!(magic("0x5A4D == uint16(0)"), Some(1));
        let two = clauses("uint16(0) == 0x5A4D or uint32be(0) == 0x7f454c46");
        assert!(two.len() == 2 && two.iter().all(|clause| clause.magic.is_some()));
        assert_eq!(magic("not uint16(0) == 0x5A4D"), None);
        assert_eq!(magic("$mz at 0"), Some(1));
        assert_eq!(magic("pe.number_of_sections > 1"), Some(1));
        assert_eq!(magic("pe.is_dll()"), Some(1));
        assert_eq!(magic("pe.MACHINE_AMD64 == 1"), None);
        assert_eq!(magic("pe.is_pe == 0"), None);
        assert_eq!(
            clauses("filesize < 10KB and filesize > 5")[0].size,
            (6, 10 * 1024 - 1)
        );
        assert_eq!(clauses("filesize == 7")[0].size, (7, 7));
        assert!(clauses("uint16(0) == 0x5A4D")[0].admits(&Sight::new(b"MZ", 2)));
    }

    #[test]
    fn a_module_that_knows_nothing_is_no_way_to_a_match() {
        let clauses = |text: &str| {
            let text = format!(
                "import \"androguard\" rule z {{ strings: $a = \"alpha1\" condition: {text} }}"
            );
            of(&text).clauses().to_vec()
        };
        let either = clauses("androguard.url(/x/) or androguard.min_sdk > 3 or $a");
        assert_eq!(either, clauses("$a"));
        for never in [
            "androguard.url(/x/)",
            "androguard.url(/x/) and $a",
            "not $a and androguard.min_sdk == 3",
            "defined androguard.min_sdk",
        ] {
            assert_eq!(clauses(never), [], "{never}");
        }
        for open in ["not androguard.url(/x/)", "not defined androguard.min_sdk"] {
            assert!(clauses(open)[0].is_open(), "{open}");
        }
    }

    #[test]
    fn proves_the_bytes_of_short_strings() {
        let bytes = |strings: &str, condition: &str| {
            let need = of(&format!(
                "rule z {{ strings: {strings} condition: {condition} }}"
            ));
            let clauses = need.clauses().iter();
            clauses.map(|clause| clause.bytes).collect::<Vec<_>>()
        };
        let short = "$a = { 01 ?? 02 } $b = \"<?\" nocase";
        let (a, b) = (ByteSet::of(&[1, 2]), ByteSet::of(b"<?"));
        assert_eq!(bytes(short, "$a and $b"), [a.or(b)]);
        assert_eq!(bytes(short, "$a or $b"), [a, b]);
        assert_eq!(bytes(short, "any of them"), [a, b]);
        assert_eq!(bytes(short, "$a or not $b"), [ByteSet::default()]);
        assert_eq!(bytes(short, "#a > 0 or filesize < 9").len(), 2);
    }

    #[test]
    fn rules_pass_their_needs_on() {
        let text = "rule x { strings: $a = \"alpha1\" condition: $a } rule y { condition: x and filesize < 9 }";
        assert_eq!(texts(&of(text)), Some(vec!["alpha1".to_owned()]));
    }

    #[test]
    fn an_alternative_that_cannot_be_weakens_nothing_but_the_proof() {
        assert_eq!(
            texts(&condition("$a")).map(|set| set.is_empty()),
            Some(false)
        );
    }
}
