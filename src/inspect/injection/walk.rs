//! The walk over the decode graph of one value: breadth first, each form once, within layers, forms and budget.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::Hints;
use super::decode::{self, Decoder, Signs};
use super::graphql;
use super::nested::{self, Found};

/// The decoders between a leaf and one of its forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    steps: [Option<Decoder>; MAX_LAYERS],
}

impl Chain {
    /// Decoders passed.
    pub(super) fn layers(self) -> usize {
        self.steps.iter().flatten().count()
    }

    /// The chain with one step more; `None` at the limit.
    fn with(self, decoder: Decoder) -> Option<Self> {
        let mut longer = self;
        *longer.steps.iter_mut().find(|step| step.is_none())? = Some(decoder);
        Some(longer)
    }

    /// The decoders, from the leaf on.
    pub(super) fn steps(self) -> impl Iterator<Item = Decoder> {
        self.steps.into_iter().flatten()
    }

    fn has(self, decoder: Decoder) -> bool {
        self.steps().any(|step| step == decoder)
    }

    fn last(self) -> Option<Decoder> {
        self.steps().last()
    }
}

/// One form of a value.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    pub(super) chain: Chain,
    /// Hints of the name beside it, when a decoder found a name: members of nested JSON, names of forms.
    pub(super) hints: Option<Hints>,
    /// True for such a name itself.
    pub(super) is_name: bool,
}

/// The forms of one value. Buffers are kept from value to value.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pool: Vec<Form>,
    used: usize,
    spare: Vec<u8>,
    seen: HashSet<u64>,
    hasher: RandomState,
}

/// Decoded bytes that a body may still cost.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    read: u64,
    spent: u64,
}

impl Allowance {
    /// A leaf of `length` bytes was read, which allows four times as many decoded ones.
    pub(super) fn read(&mut self, length: usize) {
        self.read = self.read.saturating_add(length as u64);
    }

    /// Decoded bytes so far.
    pub(super) fn spent(&self) -> u64 {
        self.spent
    }

    fn spend(&mut self, length: usize) -> Result<(), Spent> {
        let limit = self
            .read
            .saturating_mul(BUDGET_FACTOR)
            .saturating_add(BUDGET_FLOOR)
            .min(BUDGET_BYTES);
        self.spent = self.spent.saturating_add(length as u64);
        if self.spent <= limit {
            Ok(())
        } else {
            Err(Spent)
        }
    }
}

/// A limit was hit: forms are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

impl Forms {
    /// Forgets the forms of the value before.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.seen.clear();
    }

    /// True when the value has no form but itself.
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Takes the form at `index` out, so that it can be read while others are added; [`put_back`](Self::put_back) it.
    pub(super) fn take(&mut self, index: usize) -> Option<Form> {
        if index >= self.used {
            return None;
        }
        self.pool.get_mut(index).map(std::mem::take)
    }

    /// Puts a form back where it was taken from.
    pub(super) fn put_back(&mut self, index: usize, form: Form) {
        if let Some(slot) = self.pool.get_mut(index) {
            *slot = form;
        }
    }

    /// Adds all forms that `bytes`, reached by `chain`, decodes to in one step, but of nested documents only the strings
    /// that are `worth` a look.
    pub(super) fn expand(
        &mut self,
        (bytes, signs): (&[u8], Signs),
        chain: Chain,
        allowance: &mut Allowance,
        worth: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(), Spent> {
        if plain(bytes, signs) {
            return Ok(());
        }
        // A document is nothing but its strings; decoding it as a whole would only break it.
        let document = if !signs.intersects(TEXTS) {
            None
        } else if nested::is_json(bytes) {
            Some(Decoder::Json)
        } else {
            graphql::is_document(bytes).then_some(Decoder::Graphql)
        };
        let decoders = match word(signs) {
            true => OF_WORDS,
            false => DECODERS,
        };
        for &decoder in decoders {
            if document.is_some_and(|only| only != decoder)
                || !applies(decoder, bytes, signs, chain)
            {
                continue;
            }
            let mut add = |found: Found<'_>| {
                if worth(found.bytes) {
                    self.add_found(found, chain.with(decoder).ok_or(Spent)?, allowance)
                } else {
                    Ok(())
                }
            };
            match decoder {
                Decoder::Json => nested::json_strings(bytes, &mut add)?,
                Decoder::Graphql if document.is_none() => {}
                Decoder::Graphql => nested::graphql_texts(bytes, &mut add)?,
                Decoder::Form => nested::form_values(bytes, &mut add)?,
                _ => self.add_decoded(decoder, (bytes, signs), chain, allowance)?,
            }
        }
        Ok(())
    }

    fn add_decoded(
        &mut self,
        decoder: Decoder,
        (bytes, signs): (&[u8], Signs),
        chain: Chain,
        allowance: &mut Allowance,
    ) -> Result<(), Spent> {
        let mut out = std::mem::take(&mut self.spare);
        out.clear();
        let changed = match decoder {
            Decoder::Percent => decode::percent(bytes, signs, &mut out),
            Decoder::Entity => decode::entity(bytes, &mut out),
            Decoder::Escape => decode::escape(bytes, &mut out),
            Decoder::Base64 if signs.contains(Signs::NOT_BASE64) => {
                decode::wrapped(bytes, &mut out)
            }
            Decoder::Base64 => decode::base64(bytes, &mut out),
            Decoder::Hex => decode::hex(hex_of(bytes), &mut out),
            Decoder::Unicode => decode::unicode(bytes, &mut out),
            Decoder::Utf7 => decode::utf7(bytes, &mut out),
            Decoder::Control => decode::control(bytes, &mut out),
            Decoder::Comment => decode::comment(bytes, &mut out),
            Decoder::Json | Decoder::Graphql | Decoder::Form => false,
        };
        let done = if changed && !out.is_empty() && self.seen.insert(self.hasher.hash_one(&out)) {
            self.add_form(&mut out, chain.with(decoder), allowance)
        } else {
            Ok(())
        };
        self.spare = out;
        done
    }

    fn add_form(
        &mut self,
        bytes: &mut Vec<u8>,
        chain: Option<Chain>,
        allowance: &mut Allowance,
    ) -> Result<(), Spent> {
        allowance.spend(bytes.len())?;
        let chain = chain.ok_or(Spent)?;
        let form = self.slot().ok_or(Spent)?;
        form.chain = chain;
        form.hints = None;
        form.is_name = false;
        std::mem::swap(&mut form.bytes, bytes);
        Ok(())
    }

    fn add_found(
        &mut self,
        found: Found<'_>,
        chain: Chain,
        allowance: &mut Allowance,
    ) -> Result<(), Spent> {
        allowance.spend(found.bytes.len())?;
        let form = self.slot().ok_or(Spent)?;
        form.chain = chain;
        form.hints = Some(found.name.map_or(Hints::empty(), Hints::of));
        form.is_name = found.is_name;
        form.bytes.clear();
        form.bytes.extend_from_slice(found.bytes);
        Ok(())
    }

    fn slot(&mut self) -> Option<&mut Form> {
        if self.used >= MAX_FORMS {
            return None;
        }
        if self.used == self.pool.len() {
            self.pool.push(Form::default());
        }
        self.used += 1;
        self.pool.get_mut(self.used - 1)
    }
}

/// True when no decoder can apply.
pub(super) fn plain(bytes: &[u8], signs: Signs) -> bool {
    let coded = bytes.len() >= SHORTEST_CODED && base64_applies(bytes, signs);
    !coded && word(signs)
}

/// True when nothing but the alphabet of all bytes can make a decoder apply.
pub(super) fn word(signs: Signs) -> bool {
    !signs.intersects(TRIGGERS)
}

/// The cheap test of each decoder.
fn applies(decoder: Decoder, bytes: &[u8], signs: Signs, chain: Chain) -> bool {
    match decoder {
        Decoder::Percent => {
            signs.contains(Signs::PERCENT)
                || signs.contains(Signs::PLUS)
                    && !signs.contains(Signs::SPACE)
                    && signs.contains(Signs::NOT_BASE64)
                    && chain.last() != Some(Decoder::Percent)
        }
        // In a text with tags, references are for the tokenizer of HTML: decoding them would turn quoted code into code.
        Decoder::Entity => signs.contains(Signs::AMPERSAND) && !has_tag(bytes, signs),
        Decoder::Escape => signs.contains(Signs::BACKSLASH),
        Decoder::Base64 => base64_applies(bytes, signs),
        Decoder::Hex => {
            !signs.contains(Signs::NOT_HEX) || bytes.starts_with(b"0x") || bytes.starts_with(b"\\x")
        }
        Decoder::Json => {
            signs.contains(Signs::QUOTE)
                && matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
        }
        Decoder::Graphql => signs.intersects(TEXTS),
        Decoder::Form => {
            signs.contains(Signs::EQUALS)
                && chain.last() != Some(Decoder::Form)
                // Queries nest in one line; the links of a text do not nest in each other.
                && (!chain.has(Decoder::Form) || memchr::memchr(b'\n', bytes).is_none())
                && (signs.contains(Signs::QUESTION) || signs.contains(Signs::AMPERSAND))
        }
        Decoder::Unicode => signs.contains(Signs::HIGH),
        Decoder::Utf7 => {
            signs.contains(Signs::PLUS) && memchr::memmem::find(bytes, b"+AD").is_some()
        }
        Decoder::Control => signs.contains(Signs::CONTROL),
        Decoder::Comment => {
            signs.contains(Signs::SLASH.union(Signs::STAR))
                && memchr::memmem::find(bytes, b"/*").is_some()
        }
    }
}

fn has_tag(bytes: &[u8], signs: Signs) -> bool {
    signs.contains(Signs::ANGLE)
        && bytes
            .windows(2)
            .any(|pair| matches!(pair, [b'<', next] if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!')))
}

/// Base64 from the first byte to the last, or inside of something that begins as its wrappers do.
fn base64_applies(bytes: &[u8], signs: Signs) -> bool {
    !signs.contains(Signs::NOT_BASE64)
        || decode::begins_wrapped(bytes)
        || signs.contains(Signs::SPACE) && decode::is_spaced(bytes)
}

fn hex_of(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"0x").unwrap_or(bytes)
}

/// Order of trial. Those that only undo a transport come first, so that their forms are found by the shortest chain.
const DECODERS: &[Decoder] = &[
    Decoder::Percent,
    Decoder::Entity,
    Decoder::Escape,
    Decoder::Base64,
    Decoder::Hex,
    Decoder::Json,
    Decoder::Graphql,
    Decoder::Form,
    Decoder::Unicode,
    Decoder::Utf7,
    Decoder::Control,
    Decoder::Comment,
];

/// Those of [`DECODERS`] that need no sign but that all bytes are of their alphabet.
const OF_WORDS: &[Decoder] = &[Decoder::Base64, Decoder::Hex];

/// Decode layers between a leaf and a form: more than any stack of gateways, frameworks and templates undoes.
pub(super) const MAX_LAYERS: usize = 4;
/// Forms of one leaf. Strings of nested documents count only when they are worth a look.
const MAX_FORMS: usize = 2048;
/// Bytes below which a value cannot be base64 or hex of an attack.
const SHORTEST_CODED: usize = 8;
/// Signs that some decoder needs.
const TRIGGERS: Signs = Signs::PERCENT
    .union(Signs::PLUS)
    .union(Signs::AMPERSAND)
    .union(Signs::BACKSLASH)
    .union(Signs::HIGH)
    .union(Signs::CONTROL)
    .union(Signs::EQUALS)
    .union(Signs::STAR)
    .union(TEXTS);
/// Signs of which one stands in every document that has strings or comments.
const TEXTS: Signs = Signs::QUOTE.union(Signs::HASH);
/// Decoded bytes for each byte read: an honest value has one or two layers.
const BUDGET_FACTOR: u64 = 4;
/// So that small bodies are never cut.
const BUDGET_FLOOR: u64 = 64 * 1024;
/// Decoded bytes of one body at the most.
const BUDGET_BYTES: u64 = 8 * 1024 * 1024;
