//! The fixed strings that must be in a body where a YARA string matches.
//!
//! Works on the syntax tree of strings: text with modifiers, hex with gaps, regular expressions. The result is a set of
//! which at least one member occurs inside every match; `None` where there is no such set worth looking for.

use boreal_parser::hex_string::Token;
use boreal_parser::regex::{
    BracketedClass, BracketedClassItem, ClassKind, Node, Regex, RepetitionKind, RepetitionRange,
};
use boreal_parser::rule::{VariableDeclaration, VariableDeclarationValue, VariableModifiers};

use crate::inspect::yara::bytes::ByteSet;
use crate::inspect::yara::need::{MIN_STRING, rarity};
use crate::rules::literal::{Case, Pattern};

/// A set of byte strings, one of which is in every match.
type Set = Vec<Vec<u8>>;

/// Members of a set while it is worked out from alternatives.
const MAX_SET: usize = 64;

/// Longer strings are cut: they say no more, and each costs bytes in every stream's tail.
const MAX_STRING: usize = 64;

/// One of these occurs in every match of the string.
pub(super) fn necessary(declaration: &VariableDeclaration) -> Option<Vec<Pattern>> {
    let modifiers = &declaration.modifiers;
    let (set, case) = match &declaration.value {
        VariableDeclarationValue::Bytes(bytes) => (text(bytes, modifiers)?, case(modifiers.nocase)),
        VariableDeclarationValue::HexString(tokens) => (hex(tokens)?, Case::Sensitive),
        VariableDeclarationValue::Regex(regex) => (
            expression(regex, modifiers)?,
            case(modifiers.nocase || regex.case_insensitive),
        ),
    };
    set.into_iter()
        .map(|bytes| {
            let bytes = cut(bytes);
            (bytes.len() >= MIN_STRING).then(|| Pattern {
                bytes: bytes.into(),
                case,
            })
        })
        .collect()
}

/// The bytes that occur in every match, wherever.
pub(super) fn bytes(declaration: &VariableDeclaration) -> ByteSet {
    let modifiers = &declaration.modifiers;
    let (bytes, nocase) = match &declaration.value {
        VariableDeclarationValue::Bytes(_)
            if modifiers.xor.is_some() || modifiers.base64.is_some() =>
        {
            return ByteSet::default();
        }
        VariableDeclarationValue::Bytes(bytes) => (ByteSet::of(bytes), modifiers.nocase),
        VariableDeclarationValue::HexString(tokens) => (hex_bytes(tokens), false),
        VariableDeclarationValue::Regex(regex) => (
            expression_bytes(&regex.ast),
            modifiers.nocase || regex.case_insensitive,
        ),
    };
    match nocase {
        true => bytes.without_letters(),
        false => bytes,
    }
}

fn hex_bytes(tokens: &[Token]) -> ByteSet {
    let of = |token: &Token| match token {
        Token::Byte(byte) => ByteSet::of(&[*byte]),
        Token::NotByte(_) | Token::MaskedByte(..) | Token::NotMaskedByte(..) | Token::Jump(_) => {
            ByteSet::default()
        }
        // Their depth is bounded by the parser.
        Token::Alternatives(alternatives) => {
            let sets = alternatives.iter().map(|tokens| hex_bytes(tokens));
            sets.reduce(ByteSet::and).unwrap_or_default()
        }
    };
    tokens.iter().map(of).fold(ByteSet::default(), ByteSet::or)
}

/// The depth of the tree is bounded by the parser.
fn expression_bytes(node: &Node) -> ByteSet {
    match node {
        Node::Literal(literal) => ByteSet::of(&[literal.byte]),
        Node::Group(inner) => expression_bytes(inner),
        Node::Alternation(nodes) => {
            let sets = nodes.iter().map(expression_bytes);
            sets.reduce(ByteSet::and).unwrap_or_default()
        }
        Node::Concat(nodes) => {
            let sets = nodes.iter().map(expression_bytes);
            sets.fold(ByteSet::default(), ByteSet::or)
        }
        Node::Repetition { node, kind, .. } if is_repeated(kind) => expression_bytes(node),
        Node::Repetition { .. }
        | Node::Assertion(_)
        | Node::Class(_)
        | Node::Char(_)
        | Node::Dot
        | Node::Empty => ByteSet::default(),
    }
}

/// True when what is repeated is there once at least.
fn is_repeated(kind: &RepetitionKind) -> bool {
    match kind {
        RepetitionKind::OneOrMore => true,
        RepetitionKind::Range(
            RepetitionRange::Exactly(fewest)
            | RepetitionRange::AtLeast(fewest)
            | RepetitionRange::Bounded(fewest, _),
        ) => *fewest > 0,
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => false,
    }
}

/// The bytes that stand at the very beginning of every match, when they are fixed; for `$a at 0`.
pub(super) fn beginning(declaration: &VariableDeclaration) -> Option<Vec<u8>> {
    let modifiers = &declaration.modifiers;
    if modifiers.nocase || modifiers.wide || modifiers.xor.is_some() || modifiers.base64.is_some() {
        return None;
    }
    match &declaration.value {
        VariableDeclarationValue::Bytes(bytes) => Some(bytes.clone()),
        VariableDeclarationValue::HexString(tokens) => {
            let fixed = tokens.iter().map_while(|token| match token {
                Token::Byte(byte) => Some(*byte),
                Token::NotByte(_)
                | Token::MaskedByte(..)
                | Token::NotMaskedByte(..)
                | Token::Jump(_)
                | Token::Alternatives(_) => None,
            });
            let bytes: Vec<u8> = fixed.collect();
            (!bytes.is_empty()).then_some(bytes)
        }
        VariableDeclarationValue::Regex(_) => None,
    }
}

fn case(nocase: bool) -> Case {
    if nocase {
        Case::Insensitive
    } else {
        Case::Sensitive
    }
}

fn text(bytes: &[u8], modifiers: &VariableModifiers) -> Option<Set> {
    let mut set = widths(vec![bytes.to_vec()], modifiers);
    if let Some((from, to)) = modifiers.xor {
        set = set
            .iter()
            .flat_map(|bytes| (from..=to).map(|key| bytes.iter().map(|byte| byte ^ key).collect()))
            .collect();
    }
    if let Some(base64) = &modifiers.base64 {
        // A home-made alphabet is rare enough to go without a gate.
        if base64.alphabet.is_some() {
            return None;
        }
        // An encoding with nothing certain inside would match unseen.
        let encoded = set
            .iter()
            .flat_map(|bytes| (0..3).map(|offset| base64_inside(bytes, offset)));
        let plain: Set = encoded.collect::<Option<_>>()?;
        set = match (base64.wide, base64.ascii) {
            (true, true) => [plain.clone(), widened(&plain)].concat(),
            (true, false) => widened(&plain),
            (false, _) => plain,
        };
    }
    Some(set)
}

/// The plain form, the wide one, or both, as the modifiers say; plain is the default.
fn widths(set: Set, modifiers: &VariableModifiers) -> Set {
    if !modifiers.wide {
        return set;
    }
    let wide = widened(&set);
    if modifiers.ascii {
        [set, wide].concat()
    } else {
        wide
    }
}

/// Each byte followed by a zero.
fn widened(set: &Set) -> Set {
    set.iter()
        .map(|bytes| bytes.iter().flat_map(|byte| [*byte, 0]).collect())
        .collect()
}

/// The characters of a base64 text that depend on `bytes` only, when they begin `offset` bytes into a group of three.
fn base64_inside(bytes: &[u8], offset: usize) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let padded = [&[0u8, 0][..offset.min(2)], bytes].concat();
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
    // A character carries six bits: the first ones mix with what stands before, the last one with what follows.
    let from = [0, 2, 3].get(offset)?;
    let to = padded.len() * 8 / 6;
    let inside = text.as_bytes().get(*from..to)?;
    (inside.len() >= MIN_STRING).then(|| inside.to_vec())
}

fn hex(tokens: &[Token]) -> Option<Set> {
    let mut best = Best::default();
    let mut run: Vec<u8> = Vec::new();
    for token in tokens {
        match token {
            Token::Byte(byte) => run.push(*byte),
            Token::NotByte(_)
            | Token::MaskedByte(..)
            | Token::NotMaskedByte(..)
            | Token::Jump(_) => {
                best.offer(vec![std::mem::take(&mut run)]);
            }
            Token::Alternatives(alternatives) => {
                best.offer(vec![std::mem::take(&mut run)]);
                // Their depth is bounded by the parser.
                let sets: Option<Vec<Set>> =
                    alternatives.iter().map(|tokens| hex(tokens)).collect();
                if let Some(sets) = sets {
                    best.offer(sets.concat());
                }
            }
        }
    }
    best.offer(vec![run]);
    best.0
}

fn expression(regex: &Regex, modifiers: &VariableModifiers) -> Option<Set> {
    required(&regex.ast).map(|set| widths(set, modifiers))
}

/// A set of which one member is in every match of `node`. The depth of the tree is bounded by the parser.
fn required(node: &Node) -> Option<Set> {
    match node {
        Node::Literal(literal) => Some(vec![vec![literal.byte]]),
        Node::Group(inner) => required(inner),
        Node::Alternation(nodes) => {
            let sets: Option<Vec<Set>> = nodes.iter().map(required).collect();
            sets.map(|sets| sets.concat())
                .filter(|set| set.len() <= MAX_SET)
        }
        Node::Concat(nodes) => concatenation(nodes),
        Node::Repetition { node, kind, .. } if is_repeated(kind) => required(node),
        Node::Repetition { .. } => None,
        Node::Assertion(_) | Node::Class(_) | Node::Char(_) | Node::Dot | Node::Empty => None,
    }
}

/// Joins neighbours that stand for fixed bytes, and picks the best of what results.
fn concatenation(nodes: &[Node]) -> Option<Set> {
    let mut best = Best::default();
    let mut run: Set = vec![Vec::new()];
    for node in nodes {
        match exact(node) {
            Some(set) if run.len() * set.len() <= MAX_SET => {
                run = run
                    .iter()
                    .flat_map(|before| set.iter().map(|after| [before.as_slice(), after].concat()))
                    .collect();
            }
            Some(set) => {
                best.offer(std::mem::replace(&mut run, set));
            }
            None => {
                best.offer(std::mem::replace(&mut run, vec![Vec::new()]));
                if let Some(set) = required(node) {
                    best.offer(set);
                }
            }
        }
    }
    best.offer(run);
    best.0
}

/// All that `node` can match, when that is a small set of fixed strings.
fn exact(node: &Node) -> Option<Set> {
    match node {
        Node::Literal(literal) => Some(vec![vec![literal.byte]]),
        // Nothing is matched by these; neighbours stay neighbours.
        Node::Empty | Node::Assertion(_) => Some(vec![Vec::new()]),
        Node::Group(inner) => exact(inner),
        Node::Alternation(nodes) => {
            let sets: Option<Vec<Set>> = nodes.iter().map(exact).collect();
            sets.map(|sets| sets.concat())
                .filter(|set| set.len() <= MAX_SET)
        }
        Node::Concat(nodes) => nodes.iter().try_fold(vec![Vec::new()], |run: Set, node| {
            let set = exact(node)?;
            (run.len() * set.len() <= MAX_SET).then(|| {
                run.iter()
                    .flat_map(|before| set.iter().map(|after| [before.as_slice(), after].concat()))
                    .collect()
            })
        }),
        Node::Class(ClassKind::Bracketed(class)) => few(class),
        Node::Repetition {
            node,
            kind: RepetitionKind::ZeroOrOne,
            ..
        } => {
            // With longer ones a match would rather be known by what stands beside them.
            let single = |set: &Set| set.iter().all(|bytes| bytes.len() == 1);
            exact(node)
                .filter(single)
                .map(|set| [vec![Vec::new()], set].concat())
        }
        Node::Repetition { .. } | Node::Class(_) | Node::Char(_) | Node::Dot => None,
    }
}

/// The members of a class that has few: the `[Aa]` of those who write both cases.
fn few(class: &BracketedClass) -> Option<Set> {
    if class.negated || class.items.len() > MAX_CLASS {
        return None;
    }
    let single = |item: &BracketedClassItem| match item {
        BracketedClassItem::Literal(literal) => Some(vec![literal.byte]),
        BracketedClassItem::Perl(_) | BracketedClassItem::Range(..) => None,
    };
    class.items.iter().map(single).collect()
}

/// Members of a class that are taken one by one.
const MAX_CLASS: usize = 3;

/// The rarest set seen.
#[derive(Default)]
struct Best(Option<Set>);

impl Best {
    fn offer(&mut self, set: Set) {
        if set.iter().any(|bytes| bytes.len() < MIN_STRING) || set.is_empty() {
            return;
        }
        let score = |set: &Set| {
            let patterns: Vec<Pattern> = set
                .iter()
                .map(|bytes| Pattern {
                    bytes: bytes.as_slice().into(),
                    case: Case::Sensitive,
                })
                .collect();
            rarity(&patterns)
        };
        if self.0.as_ref().is_none_or(|best| score(&set) > score(best)) {
            self.0 = Some(set);
        }
    }
}

/// At most [`MAX_STRING`] bytes of `bytes`, those that are the rarest.
fn cut(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() <= MAX_STRING {
        return bytes;
    }
    let score = |window: &[u8]| {
        rarity(&[Pattern {
            bytes: window.into(),
            case: Case::Sensitive,
        }])
    };
    bytes
        .windows(MAX_STRING)
        .step_by(8)
        .max_by_key(|window| score(window))
        .map_or(bytes.clone(), <[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boreal_parser::file::YaraFileComponent;

    fn needed(declaration: &str) -> Option<Vec<String>> {
        let text = format!("rule a {{ strings: $a = {declaration} condition: $a }}");
        let file = boreal_parser::parse(&text).expect("parses");
        let Some(YaraFileComponent::Rule(rule)) = file.components.first() else {
            panic!("a rule");
        };
        let patterns = necessary(rule.variables.first().expect("one string"))?;
        let mut texts: Vec<String> = patterns
            .iter()
            .map(|pattern| String::from_utf8_lossy(&pattern.bytes).replace('\0', "."))
            .collect();
        texts.sort();
        Some(texts)
    }

    #[test]
    fn texts_follow_their_modifiers() {
        assert_eq!(needed("\"abcd\""), Some(vec!["abcd".into()]));
        assert_eq!(needed("\"abcd\" wide"), Some(vec!["a.b.c.d.".into()]));
        assert_eq!(needed("\"abcd\" wide ascii").map(|set| set.len()), Some(2));
        assert_eq!(needed("\"abcd\" xor(0-3)").map(|set| set.len()), Some(4));
        assert_eq!(needed("\"abc\""), None);
    }

    #[test]
    fn base64_keeps_what_does_not_depend_on_neighbours() {
        use base64::Engine as _;
        let set = needed("\"This program cannot\" base64").expect("a set");
        for before in 0..3usize {
            let body = [
                vec![b'x'; before],
                b"This program cannot".to_vec(),
                b"tail".to_vec(),
            ]
            .concat();
            let encoded = base64::engine::general_purpose::STANDARD.encode(body);
            assert!(
                set.iter().any(|text| encoded.contains(text.as_str())),
                "{before}"
            );
        }
    }

    #[test]
    fn base64_follows_its_width() {
        let count =
            |modifiers: &str| needed(&format!("\"abcdefgh\" {modifiers}")).map(|set| set.len());
        assert_eq!(count("base64"), Some(3));
        assert_eq!(count("base64wide"), Some(3));
        assert_eq!(count("base64 base64wide"), Some(6));
        assert_eq!(count("ascii wide base64 base64wide"), Some(12));
        assert_eq!(needed("\"abc\" base64"), None, "too short at some offsets");
    }

    #[test]
    fn bytes_are_those_of_every_match() {
        let set = |declaration: &str| {
            let text = format!("rule a {{ strings: $a = {declaration} condition: $a }}");
            let file = boreal_parser::parse(&text).expect("parses");
            let Some(YaraFileComponent::Rule(rule)) = file.components.first() else {
                panic!("a rule");
            };
            bytes(rule.variables.first().expect("one string"))
        };
        let table: &[(&str, &[u8])] = &[
            ("\"a?b\"", b"a?b"),
            ("\"a?b\" nocase", b"?"),
            ("\"a?b\" wide", b"a?b"),
            ("\"a?b\" xor", b""),
            ("\"a?b\" base64", b""),
            ("{ 41 ?? 42 [1-3] ~43 4? ( 44 45 | 44 46 ) }", b"ABD"),
            ("/ab+(cd|de)?f{2}(gh|hg)[ij](k|kl)/", b"abfghk"),
            ("/a<b/i", b"<"),
            ("/a*b{0,3}c/", b"c"),
        ];
        for (declaration, wanted) in table {
            assert_eq!(set(declaration), ByteSet::of(wanted), "{declaration}");
        }
    }

    #[test]
    fn hex_takes_the_best_run() {
        assert_eq!(
            needed("{ 41 42 ?? 43 44 45 46 47 [2-4] 48 }"),
            Some(vec!["CDEFG".into()])
        );
        assert_eq!(
            needed("{ 41 ( 42 42 42 42 | 43 43 43 43 ) }").map(|set| set.len()),
            Some(2)
        );
        assert_eq!(needed("{ 41 ?? 42 ?? 43 }"), None);
    }

    #[test]
    fn expressions_give_what_every_match_contains() {
        assert_eq!(needed("/foo[0-9]+barbaz/"), Some(vec!["barbaz".into()]));
        assert_eq!(
            needed("/(http|https):\\/\\/evil/"),
            Some(vec!["http://evil".into(), "https://evil".into()])
        );
        assert_eq!(needed("/(abcd)?efgh/"), Some(vec!["efgh".into()]));
        assert_eq!(needed("/(abcd|ef)/"), None);
        assert_eq!(needed("/(abcde){2,3}x/"), Some(vec!["abcde".into()]));
        assert_eq!(needed("/a.b.c/"), None);
        assert_eq!(needed("/%[Aa]pp[^x]/").map(|set| set.len()), Some(2));
        assert_eq!(
            needed("/ab-?cd/"),
            Some(vec!["ab-cd".into(), "abcd".into()])
        );
        assert_eq!(needed("/ab[a-z]cd/"), None);
    }
}
