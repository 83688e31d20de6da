//! The entity rules, compiled.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use regex_automata::dfa::dense;

use super::check::{self, Check};
use super::keyword::{Keywords, Place};
use super::name::{Names, SUFFIXES, Words};
use super::pattern::Pattern;
use super::shape::{MAX_SHAPES, Shapes};
use crate::rules::entity::{Boundary, DetectorRule, EntityError, EntityRules, FieldRule, Link};

/// Index of an entity type in its [`Catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entity(pub u16);

/// Index of a rule in its [`Catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule(pub u16);

/// Why rules could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The files could not be read.
    #[error(transparent)]
    Rules(#[from] EntityError),
    /// A pattern is no regular expression, or too large a one.
    #[error("expected a regular expression of moderate size in an entity rule")]
    Pattern(#[from] Box<dense::BuildError>),
    /// More keywords than there is room for.
    #[error("expected fewer keywords in the entity rules")]
    Keywords,
    /// A rule names a validator that does not exist.
    #[error("an entity rule names a validator that does not exist")]
    UnknownCheck,
    /// More rules or shapes than there is room for.
    #[error("expected at most {MAX_RULES} entity rules and {MAX_SHAPES} shapes")]
    TooMany,
}

/// All entity rules, ready to run. Immutable; shared by all scanners.
#[derive(Debug)]
pub struct Catalog {
    labels: Vec<Arc<str>>,
    ids: Vec<Arc<str>>,
    rule_entities: Vec<Entity>,
    pub(super) detectors: Vec<Detector>,
    pub(super) fields: Vec<Field>,
    pub(super) names: Names,
    pub(super) keywords: Keywords,
    /// Some keyword may stand in a number.
    pub(super) numeric_keywords: bool,
    pub(super) targets: Vec<Vec<Target>>,
    pub(super) shapes: Shapes,
}

/// What a keyword leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Index of a detector.
    Detector(u16),
    /// The last word of a field's name.
    Label,
}

/// A compiled [`DetectorRule`].
#[derive(Debug)]
pub(super) struct Detector {
    pub(super) entity: Entity,
    pub(super) rule: Rule,
    pub(super) priority: u8,
    pub(super) prefix: Option<Pattern>,
    pub(super) pattern: Pattern,
    pub(super) suffix: Option<Pattern>,
    /// The byte that the suffix begins with.
    pub(super) mark: Option<u8>,
    pub(super) back: Option<Box<[bool; 256]>>,
    pub(super) boundary: Boundary,
    pub(super) check: Option<Check>,
    pub(super) context: WordList,
    pub(super) unless: WordList,
    /// Which it is of those that look at words; `None` for one that does not.
    pub(super) worded: Option<usize>,
}

/// Words near a value that speak for or against it, compared without regard to ASCII case.
#[derive(Debug)]
pub(super) struct WordList {
    /// By the low bits of their first bytes, which do not tell small from capital letters.
    words: [Vec<Box<str>>; 32],
    /// Which lengths they have, by the same.
    lengths: [u64; 32],
    is_empty: bool,
}

impl WordList {
    fn of(words: &[String]) -> Self {
        let mut list = Self {
            words: Default::default(),
            lengths: [0; 32],
            is_empty: words.is_empty(),
        };
        for word in words {
            if let Some(slot) = Self::slot(word.as_bytes()) {
                list.words[slot].push(word.as_str().into());
                list.lengths[slot] |= 1 << word.len().min(63);
            }
        }
        list
    }

    fn slot(word: &[u8]) -> Option<usize> {
        word.first().map(|first| usize::from(first & 31))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    #[inline]
    pub(super) fn contains(&self, word: &[u8]) -> bool {
        Self::slot(word).is_some_and(|slot| {
            self.lengths[slot] >> word.len().min(63) & 1 == 1
                && self.words[slot]
                    .iter()
                    .any(|known| known.as_bytes().eq_ignore_ascii_case(word))
        })
    }
}

/// A compiled [`FieldRule`].
#[derive(Debug)]
pub(super) struct Field {
    pub(super) entity: Entity,
    pub(super) rule: Rule,
    pub(super) priority: u8,
    pub(super) unless: Vec<Box<str>>,
    pub(super) prefix: Option<Pattern>,
    pub(super) whole: Option<Pattern>,
    pub(super) pattern: Option<Pattern>,
    pub(super) check: Option<Check>,
    pub(super) link: Link,
}

impl Catalog {
    /// Compiles `rules`.
    ///
    /// # Errors
    /// [`CatalogError`] for a pattern or a validator that cannot be used.
    pub fn compile(rules: &EntityRules) -> Result<Self, CatalogError> {
        let mut builder = Builder::default();
        for rule in &rules.detector {
            builder.detector(rule)?;
        }
        for rule in &rules.field {
            builder.field(rule)?;
        }
        builder.finish()
    }

    /// The rules that ship with the program, compiled once a process.
    ///
    /// # Panics
    /// Never: a test compiles them.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: OnceLock<Arc<Catalog>> = OnceLock::new();
        BUILTIN
            .get_or_init(|| {
                let rules = EntityRules::builtin().expect("a test reads the files of the tree");
                Arc::new(Self::compile(&rules).expect("a test compiles the files of the tree"))
            })
            .clone()
    }

    /// The label of an entity: `PAN`.
    pub fn label(&self, entity: Entity) -> &Arc<str> {
        &self.labels[usize::from(entity.0)]
    }

    /// The id of a rule: `entity/pan`.
    pub fn rule_id(&self, rule: Rule) -> &Arc<str> {
        &self.ids[usize::from(rule.0)]
    }

    /// The entity with that label.
    pub fn entity(&self, label: &str) -> Option<Entity> {
        let index = self.labels.iter().position(|known| **known == *label)?;
        u16::try_from(index).ok().map(Entity)
    }

    /// The rule with that id, and what it finds.
    pub fn rule(&self, id: &str) -> Option<(Rule, Entity)> {
        let at = self.ids.iter().position(|known| **known == *id)?;
        let rule = u16::try_from(at).ok().map(Rule)?;
        Some((rule, self.entity_of(at)?))
    }

    /// What the rule at an index finds.
    pub fn entity_of(&self, index: usize) -> Option<Entity> {
        self.rule_entities.get(index).copied()
    }

    /// The ids of all rules.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.ids.iter().map(|id| &**id)
    }

    /// The labels of all entities.
    pub fn labels(&self) -> impl Iterator<Item = &str> + Clone {
        self.labels.iter().map(|label| &**label)
    }

    /// All entities, in order of their first rule.
    pub fn entities(&self) -> impl Iterator<Item = Entity> {
        (0..self.labels.len()).filter_map(|index| u16::try_from(index).ok().map(Entity))
    }

    /// What the last words of a field's name say to the detectors that look at words, in order: whether one speaks for a
    /// value, and whether one speaks against it.
    pub(super) fn verdicts(&self, words: &Words) -> Box<[(bool, bool)]> {
        let says = |list: &WordList| {
            let mut last = words.backwards().take(NAME_WORDS);
            last.any(|word| list.contains(word))
        };
        let worded = self.detectors.iter().filter(|one| one.worded.is_some());
        worded
            .map(|one| (says(&one.context), says(&one.unless)))
            .collect()
    }

    /// Puts into `list` the indexes of the field rules that apply to a field whose path spells `words`.
    pub(super) fn fields_named(&self, words: &Words, list: &mut Vec<u16>) {
        list.clear();
        for (index, first) in self.names.matching(words) {
            let barred = self.fields.get(usize::from(index)).is_none_or(|field| {
                first
                    .checked_sub(1)
                    .and_then(|before| words.get(before))
                    .is_some_and(|word| field.unless.iter().any(|known| known.as_bytes() == word))
            });
            if barred {
                // The longest sequence is another thing (`next page token`): its tails are as well.
                break;
            }
            if !list.contains(&index) {
                list.push(index);
            }
        }
    }
}

#[derive(Default)]
struct Builder {
    labels: Vec<Arc<str>>,
    ids: Vec<Arc<str>>,
    rule_entities: Vec<Entity>,
    detectors: Vec<Detector>,
    fields: Vec<Field>,
    names: Names,
    keywords: Vec<Vec<u8>>,
    targets: Vec<Vec<Target>>,
    by_keyword: HashMap<Vec<u8>, usize>,
    patterns: HashMap<String, Pattern>,
    shapes: Shapes,
}

impl Builder {
    fn detector(&mut self, rule: &DetectorRule) -> Result<(), CatalogError> {
        let index = index_of(&self.detectors)?;
        let entity = self.entity(&rule.entity)?;
        let worded = !rule.context.is_empty() || !rule.unless.is_empty();
        let known = self.detectors.iter();
        let before = known.filter(|known| known.worded.is_some()).count();
        let suffix = self.optional(&rule.suffix)?;
        let detector = Detector {
            mark: suffix.as_ref().and_then(Pattern::first),
            worded: worded.then_some(before),
            entity,
            rule: self.rule(&rule.id, entity)?,
            priority: rule.priority,
            prefix: self.optional(&rule.prefix)?,
            pattern: self.pattern(&rule.pattern)?,
            suffix,
            back: self.byte_set(&rule.back)?,
            boundary: rule.boundary,
            check: named_check(rule.check.as_deref())?,
            context: WordList::of(&rule.context),
            unless: WordList::of(&rule.unless),
        };
        self.detectors.push(detector);
        for keyword in &rule.keywords {
            self.keyword(keyword, Target::Detector(index));
        }
        // A value behind a prefix or before its keyword may lie outside the one in which its shape stands.
        let rank = (rule.prefix.is_empty() && rule.back.is_empty()).then_some(rule.priority);
        for shape in &rule.start {
            self.shapes.insert(shape, index, rank)?;
        }
        Ok(())
    }

    fn field(&mut self, rule: &FieldRule) -> Result<(), CatalogError> {
        let index = index_of(&self.fields)?;
        let entity = self.entity(&rule.entity)?;
        let field = Field {
            entity,
            rule: self.rule(&rule.id, entity)?,
            priority: rule.priority,
            unless: boxed(&rule.unless),
            prefix: self.optional(&rule.prefix)?,
            whole: self.optional(&rule.whole)?,
            pattern: self.optional(&rule.pattern)?,
            check: named_check(rule.check.as_deref())?,
            link: rule.link,
        };
        for name in &rule.names {
            self.names.insert(name, index, rule.link);
            if rule.link != Link::None {
                self.label(name);
            }
        }
        self.fields.push(field);
        Ok(())
    }

    /// Makes the last word of `name` (as it is written, and split and joined as [`Names`] does) a keyword.
    fn label(&mut self, name: &str) {
        let last = name.rsplit(' ').next().unwrap_or(name);
        self.keyword(last, Target::Label);
        let joined: String = name.split(' ').collect();
        if joined != last {
            self.keyword(&joined, Target::Label);
        }
        // Keywords ignore ASCII case only.
        let mut chars = last.chars();
        if let Some(first) = chars.next().filter(|first| !first.is_ascii()) {
            let capital: String = first.to_uppercase().chain(chars).collect();
            self.keyword(&capital, Target::Label);
            self.keyword(&last.to_uppercase(), Target::Label);
        }
        for (plain, accented) in ACCENTED {
            if last == *plain {
                self.keyword(accented, Target::Label);
            }
        }
    }

    fn keyword(&mut self, keyword: &str, target: Target) {
        let key = keyword.to_ascii_lowercase().into_bytes();
        let index = *self.by_keyword.entry(key).or_insert_with_key(|key| {
            self.keywords.push(key.clone());
            self.targets.push(Vec::new());
            self.keywords.len() - 1
        });
        if let Some(targets) = self.targets.get_mut(index)
            && !targets.contains(&target)
        {
            targets.push(target);
        }
    }

    fn entity(&mut self, label: &str) -> Result<Entity, CatalogError> {
        let index = match self.labels.iter().position(|known| **known == *label) {
            Some(index) => index,
            None => {
                self.labels.push(label.into());
                self.labels.len() - 1
            }
        };
        u16::try_from(index)
            .map(Entity)
            .map_err(|_| CatalogError::TooMany)
    }

    fn rule(&mut self, id: &str, entity: Entity) -> Result<Rule, CatalogError> {
        let index = index_of(&self.ids)?;
        self.ids.push(id.into());
        self.rule_entities.push(entity);
        Ok(Rule(index))
    }

    /// Compiles `pattern`, unless another rule has it as well.
    fn pattern(&mut self, pattern: &str) -> Result<Pattern, CatalogError> {
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(known.clone());
        }
        let compiled = Pattern::compile(pattern)?;
        self.patterns.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }

    /// As [`pattern`](Self::pattern); `None` for an empty one.
    fn optional(&mut self, pattern: &str) -> Result<Option<Pattern>, CatalogError> {
        (!pattern.is_empty())
            .then(|| self.pattern(pattern))
            .transpose()
    }

    /// The bytes that `pattern` matches.
    fn byte_set(&mut self, pattern: &str) -> Result<Option<Box<[bool; 256]>>, CatalogError> {
        let Some(pattern) = self.optional(pattern)? else {
            return Ok(None);
        };
        let mut set = Box::new([false; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(set.iter_mut()) {
            *slot = pattern.end(&[byte], 0, 1) == Some(1);
        }
        Ok(Some(set))
    }

    /// True when what a keyword leads to refuses it in the middle of a word.
    fn begins_a_word(&self, target: Target) -> bool {
        match target {
            Target::Label => true,
            Target::Detector(index) => {
                self.detectors
                    .get(usize::from(index))
                    .is_some_and(|detector| {
                        let bounded =
                            !matches!(detector.boundary, Boundary::None | Boundary::Mailbox);
                        bounded && detector.back.is_none()
                    })
            }
        }
    }

    fn finish(self) -> Result<Catalog, CatalogError> {
        let mut keywords = Keywords::default();
        for (keyword, targets) in self.keywords.iter().zip(&self.targets) {
            let suffix = SUFFIXES.iter().any(|suffix| suffix.as_bytes() == keyword);
            let word = targets.iter().all(|target| self.begins_a_word(*target));
            let place = match word && !suffix {
                true => Place::Word,
                false => Place::Anywhere,
            };
            if !keywords.insert(keyword, place) {
                return Err(CatalogError::Keywords);
            }
        }
        Ok(Catalog {
            labels: self.labels,
            ids: self.ids,
            rule_entities: self.rule_entities,
            detectors: self.detectors,
            fields: self.fields,
            names: self.names,
            keywords,
            numeric_keywords: self.keywords.iter().any(|keyword| {
                let numeric = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                keyword.iter().all(numeric)
            }),
            targets: self.targets,
            shapes: self.shapes,
        })
    }
}

fn index_of<T>(list: &[T]) -> Result<u16, CatalogError> {
    u16::try_from(list.len())
        .ok()
        .filter(|index| *index < MAX_RULES)
        .ok_or(CatalogError::TooMany)
}

fn named_check(name: Option<&str>) -> Result<Option<Check>, CatalogError> {
    name.map(|name| check::named(name).ok_or(CatalogError::UnknownCheck))
        .transpose()
}

fn boxed(list: &[String]) -> Vec<Box<str>> {
    list.iter().map(|text| text.as_str().into()).collect()
}

/// Spellings with marks of label words whose names are kept without.
const ACCENTED: &[(&str, &str)] = &[
    ("contrasena", "contraseña"),
    ("haslo", "hasło"),
    ("losenord", "lösenord"),
    ("sifre", "şifre"),
    ("schluessel", "schlüssel"),
    ("acces", "accès"),
    ("secrete", "secrète"),
    ("ne", "né"),
    ("nee", "née"),
    ("fodt", "født"),
    ("fodd", "född"),
    ("narozeni", "narození"),
    ("syntymaaika", "syntymäaika"),
    ("telefono", "teléfono"),
    ("telephone", "téléphone"),
    ("movil", "móvil"),
    ("fodselsdato", "fødselsdato"),
    ("fodelsedatum", "födelsedatum"),
    ("prufziffer", "prüfziffer"),
    ("kartenprufnummer", "kartenprüfnummer"),
    ("seguranca", "segurança"),
    ("securite", "sécurité"),
];

/// Words of a field's name that count as words near its value.
const NAME_WORDS: usize = 3;

/// Rules that a catalog may hold.
pub const MAX_RULES: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_compile() {
        let rules = EntityRules::builtin().expect("the files are TOML");
        let catalog = Catalog::compile(&rules).expect("the rules compile");
        for label in ["PAN", "IBAN", "PASSWORD", "DOB", "PRIVATE_KEY"] {
            let entity = catalog.entity(label).expect("a shipped entity");
            assert_eq!(&**catalog.label(entity), label);
        }
    }

    /// What is wrong with one rule that has `lines`.
    fn refused(lines: &str) -> Option<CatalogError> {
        let text = format!("[[detector]]\nid = \"x\"\nentity = \"X\"\npriority = 1\n{lines}");
        let rules = EntityRules::read([text.as_str()]).expect("TOML");
        Catalog::compile(&rules).err()
    }

    #[test]
    fn rules_that_cannot_run_are_refused() {
        assert!(refused("pattern = 'a+'\nkeywords = [\"a\"]").is_none());
        let pattern = refused("pattern = 'a('");
        assert!(matches!(pattern, Some(CatalogError::Pattern(_))));
        let large = refused("pattern = '[ab]*a[ab]{20}'");
        assert!(matches!(large, Some(CatalogError::Pattern(_))));
        let check = refused("pattern = 'a'\ncheck = \"nope\"");
        assert!(matches!(check, Some(CatalogError::UnknownCheck)));
        let keyword = refused("pattern = 'a'\nkeywords = [\"\"]");
        assert!(matches!(keyword, Some(CatalogError::Keywords)));
        let long = refused("pattern = 'a'\nstart = [\"999999999\"]");
        assert!(matches!(long, Some(CatalogError::TooMany)));
        let starts = vec!["\"9\""; MAX_SHAPES + 1].join(",");
        let many = refused(&format!("pattern = 'a'\nstart = [{starts}]"));
        assert!(matches!(many, Some(CatalogError::TooMany)));
        let twice = "[[detector]]\nid = \"x\"\nentity = \"X\"\npattern = 'a'";
        let twice = EntityRules::read([twice, twice]);
        assert!(matches!(twice, Err(EntityError::DuplicateId)));
        let broken = EntityRules::read(["[[detector]]\nid = 1"]);
        assert!(matches!(broken, Err(EntityError::Syntax(_))));
    }
}
