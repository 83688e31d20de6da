//! Keywords in a text, all at once.
//!
//! An automaton over a thousand keywords does not stay in the nearest cache, and moves by one dependent load a byte. But
//! most keywords count only where a word begins, and the few others have a mark in them (`://`, `sig=`). So bytes are
//! told apart by a table, and only those places are looked up.

use super::around::is_wordy;

/// Literals, compared without regard to ASCII case.
#[derive(Clone, Debug)]
pub(super) struct Keywords {
    /// What each byte is ([`LOWER`] and the others), and in the high half what may begin behind it.
    kinds: Box<[u16; 256]>,
    /// By two neighbours, the first of them in the low half: 1 where something may begin with the second.
    pairs: Box<[u8; PAIRS]>,
    /// One bit for each three letters that a keyword may begin with, told apart by their low bits.
    firsts: Box<[u64; FILTER_WORDS]>,
    /// By two letters: which lengths keywords have that may begin with them and are shorter than [`HEAD_BYTES`], as bits.
    short: Box<[u8; TWO_LETTERS]>,
    /// One bit for each hash of a [`Head`].
    filter: Box<[u64; FILTER_WORDS]>,
    /// Where the entries begin whose head has that hash; 0 for none, else one more than the index.
    heads: Vec<u16>,
    entries: Vec<Entry>,
    /// By their mark: keywords that count anywhere.
    marked: Vec<Marked>,
    literals: Vec<Box<[u8]>>,
}

/// Where a keyword counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where a word begins, or a capital or a digit after small letters.
    Word,
    /// Anywhere.
    Anywhere,
}

/// A keyword, by its first bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    head: Head,
    literal: u16,
    /// Bytes of the keyword before that head.
    before: u16,
    /// Its last byte, a letter in lower case.
    last: u8,
    /// The next entry of the same place, as in `heads`.
    next: u16,
}

/// Keywords with the same mark.
#[derive(Clone, Debug, Default)]
struct Marked {
    /// Where in each the mark stands, its first byte, and its number.
    literals: Vec<(usize, u8, u16)>,
    /// By its low bits: the byte that stands before the mark in some of them.
    before: u32,
    /// The same for the byte behind the mark, in those that begin with it.
    behind: u32,
}

impl Marked {
    fn insert(&mut self, literal: &[u8], at: usize, number: u16) {
        let first = literal.first().copied().unwrap_or(0);
        self.literals.push((at, first, number));
        match (
            at.checked_sub(1).and_then(|at| literal.get(at)),
            literal.get(at + 1),
        ) {
            (Some(before), _) => self.before |= low(*before),
            (None, Some(behind)) => self.behind |= low(*behind),
            // The mark alone.
            (None, None) => self.behind = u32::MAX,
        }
    }

    /// False when none of the keywords has its mark between these bytes.
    #[inline]
    fn may_lie(&self, before: u8, behind: u8) -> bool {
        (self.before & low(before)) | (self.behind & low(behind)) != 0
    }
}

/// The low bits of a byte, which do not tell small from capital letters, as one bit.
#[inline]
fn low(byte: u8) -> u32 {
    1 << (byte & 31)
}

/// Up to four bytes, the first of them in the highest place, with the bit set that tells small from capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bytes: u32,
    len: u8,
}

/// A keyword in a text. Ordered by end, then by start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    pub(super) end: usize,
    pub(super) start: usize,
    pub(super) keyword: u16,
}

impl Default for Keywords {
    fn default() -> Self {
        let mut kinds = Box::new([0; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(kinds.iter_mut()) {
            let (kind, bars) = match byte {
                b'a'..=b'z' => (LOWER, LOWER | DIGIT),
                b'A'..=b'Z' => (UPPER, LOWER | UPPER | DIGIT),
                b'0'..=b'9' => (DIGIT, LOWER | UPPER | DIGIT),
                b'_' => (0, DIGIT),
                // The first byte of a character in UTF-8.
                0xc0..=0xff => (LEAD, 0),
                // Marks at which values begin by shape.
                b':' | b'+' | b'(' => (MARK, 0),
                _ => (0, 0),
            };
            *slot = kind | (BEGINS & !bars) << BEHIND;
        }
        let mut keywords = Self {
            kinds,
            pairs: Box::new([0; PAIRS]),
            firsts: Box::new([0; FILTER_WORDS]),
            short: Box::new([0; TWO_LETTERS]),
            filter: Box::new([0; FILTER_WORDS]),
            heads: vec![0; HEADS],
            entries: Vec::new(),
            marked: vec![Marked::default(); 256],
            literals: Vec::new(),
        };
        (0..=u8::MAX).for_each(|byte| keywords.pair(byte));
        keywords
    }
}

impl Keywords {
    /// Brings up to date what is known of `byte` behind others.
    fn pair(&mut self, byte: u8) {
        let kind = self.kinds[usize::from(byte)];
        for (before, behind) in (0..=u8::MAX).zip(self.kinds.iter()) {
            let begins = kind & (behind >> BEHIND) != 0;
            self.pairs[usize::from(u16::from_le_bytes([before, byte]))] = u8::from(begins);
        }
    }

    /// Adds a keyword of ASCII lower case; its number is how many there were before. False when it is empty or there are
    /// too many.
    pub(super) fn insert(&mut self, literal: &[u8], place: Place) -> bool {
        let (Ok(number), Some(first)) = (u16::try_from(self.literals.len()), literal.first())
        else {
            return false;
        };
        self.literals.push(literal.into());
        let kind = self.kinds[usize::from(*first)];
        if place == Place::Word && kind & WORDY != 0 {
            self.insert_word(literal, number, 0);
        } else if let Some(before) = word_inside(literal) {
            self.insert_word(literal, number, before);
        } else {
            self.insert_marked(literal, number);
        }
        true
    }

    /// Adds a keyword that is found by its mark.
    fn insert_marked(&mut self, literal: &[u8], number: u16) {
        let mark = literal
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric());
        let letters = literal.iter().enumerate();
        let rarest = letters.min_by_key(|(_, byte)| {
            let commoner = RARE.iter().position(|rare| rare == *byte);
            commoner.unwrap_or(RARE.len())
        });
        let at = mark.or(rarest.map(|(at, _)| at)).unwrap_or(0);
        let byte = literal.get(at).copied().unwrap_or(0);
        for spelling in [byte, byte.to_ascii_uppercase()] {
            self.kinds[usize::from(spelling)] |= MARK | MARKED;
            self.pair(spelling);
        }
        if let Some(marked) = self.marked.get_mut(usize::from(byte)) {
            marked.insert(literal, at, number);
        }
    }

    /// Adds a keyword that is found where a word of it begins, behind `before` bytes of it.
    fn insert_word(&mut self, literal: &[u8], number: u16, before: u16) {
        let word = literal.get(usize::from(before)..).unwrap_or_default();
        let (Some(first), Some(last), Ok(next)) = (
            word.first(),
            word.last(),
            u16::try_from(self.entries.len() + 1),
        ) else {
            return;
        };
        let kind = self.kinds[usize::from(*first)];
        if kind & DIGIT != 0 {
            // As a capital letter, it begins a word behind small letters as well.
            self.kinds[usize::from(*first)] = kind & !DIGIT | UPPER;
            self.pair(*first);
        }
        // A keyword of fewer than three letters goes on with any.
        let letters = word.iter().zip([10_u32, 5, 0]);
        let (known, free) = letters.fold((0, 15), |(known, _), (byte, shift)| {
            (known | usize::from(byte & 31) << shift, shift)
        });
        for index in known..known + (1 << free) {
            self.firsts[index / 64] |= 1 << (index % 64);
            if word.len() < HEAD_BYTES {
                self.short[index / 32] |= 1 << word.len();
            }
        }
        let head = Head::of(window(word), word.len().min(HEAD_BYTES));
        let hash = head.hash();
        self.filter[hash / 64] |= 1 << (hash % 64);
        if let Some(slot) = self.heads.get_mut(hash % HEADS) {
            self.entries.push(Entry {
                head,
                literal: number,
                before,
                last: last.to_ascii_lowercase(),
                next: std::mem::replace(slot, next),
            });
        }
    }

    /// The places in `block`, of up to 64 bytes, where something may begin, as bits; `before` stands before it.
    #[inline]
    pub(super) fn places(&self, block: &[u8], before: u8) -> u64 {
        let look = |pair: u64| {
            let pair = usize::try_from(pair).unwrap_or(0) % PAIRS;
            u64::from(self.pairs[pair])
        };
        // The places in eight bytes, as bits.
        let eight = |word: u64, before: u8| {
            let pairs = word << 8 | u64::from(before);
            let last = look(word >> 48);
            (0..7)
                .rev()
                .fold(last, |bits, place| bits << 1 | look(pairs >> (8 * place)))
        };
        let (mut places, mut shift, mut before) = (0, 0, before);
        let (groups, rest) = block.as_chunks::<8>();
        for group in groups.iter().take(8) {
            places |= eight(u64::from_le_bytes(*group), before) << shift;
            [.., before] = *group;
            shift += 8;
        }
        match block.last_chunk::<9>() {
            _ if rest.is_empty() => {}
            // Bytes that were looked at say what they said.
            Some([before, last @ ..]) => {
                let bits = eight(u64::from_le_bytes(*last), *before);
                places |= bits << (block.len().min(64) - 8);
            }
            None => {
                for byte in rest.iter().take(64 - shift) {
                    let pair = u16::from_le_bytes([before, *byte]);
                    places |= look(u64::from(pair)) << shift;
                    before = *byte;
                    shift += 1;
                }
            }
        }
        places
    }

    /// False when no keyword lies at a place where these four bytes stand, by its mark or by its first letters.
    #[inline]
    pub(super) fn may_lie(&self, text: &[u8], at: usize, head: [u8; HEAD_BYTES]) -> bool {
        let kind = self.kinds[usize::from(head[0])];
        kind & KEYED != 0 && self.may_begin(u32::from_be_bytes(head))
            || kind & MARKED != 0 && self.marked(text, at, head).is_some()
    }

    /// The keywords whose mark may be the first of these four bytes.
    #[inline]
    fn marked(
        &self,
        text: &[u8],
        at: usize,
        [mark, behind, ..]: [u8; HEAD_BYTES],
    ) -> Option<&Marked> {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let marked = self.marked.get(usize::from(mark.to_ascii_lowercase()))?;
        let may_lie = marked.may_lie(before.copied().unwrap_or(0), behind);
        may_lie.then_some(marked)
    }

    /// Adds to `found` the keywords at a place where these four bytes stand.
    #[inline]
    pub(super) fn matches(
        &self,
        text: &[u8],
        at: usize,
        head: [u8; HEAD_BYTES],
        found: &mut Vec<Match>,
    ) {
        let kind = self.kinds[usize::from(head[0])];
        let window = u32::from_be_bytes(head);
        if kind & KEYED != 0 && self.may_begin(window) {
            self.words(text, at, window, found);
        }
        if kind & MARKED != 0
            && let Some(marked) = self.marked(text, at, head)
        {
            self.lie(marked, text, at, found);
        }
    }

    /// False when no keyword begins with these letters.
    #[inline]
    fn may_begin(&self, window: u32) -> bool {
        let index = letters(window);
        self.firsts[index / 64] >> (index % 64) & 1 == 1
    }

    fn lie(&self, marked: &Marked, text: &[u8], at: usize, found: &mut Vec<Match>) {
        for (mark, first, keyword) in &marked.literals {
            if let Some(start) = at.checked_sub(*mark)
                && text.get(start).map(u8::to_ascii_lowercase) == Some(*first)
            {
                self.verify(*keyword, text, start, found);
            }
        }
    }

    /// Adds the keywords whose head is one of those of `window`, which stands at `at`.
    #[inline]
    fn words(&self, text: &[u8], at: usize, window: u32, found: &mut Vec<Match>) {
        self.headed(text, at, Head::of(window, HEAD_BYTES), found);
        let mut lengths = self.short[letters(window) / 32];
        while lengths != 0 {
            let len = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            self.headed(text, at, Head::of(window, len), found);
        }
    }

    #[inline]
    fn headed(&self, text: &[u8], at: usize, head: Head, found: &mut Vec<Match>) {
        let hash = head.hash();
        if self.filter[hash / 64] >> (hash % 64) & 1 == 0 {
            return;
        }
        let mut place = self.heads.get(hash % HEADS).copied().unwrap_or(0);
        while let Some(entry) = usize::from(place)
            .checked_sub(1)
            .and_then(|index| self.entries.get(index))
        {
            place = entry.next;
            if entry.head == head {
                self.verify_entry(entry, text, at, found);
            }
        }
    }

    /// Most keywords that begin alike end otherwise than what stands there.
    #[inline]
    fn verify_entry(&self, entry: &Entry, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(start) = at.checked_sub(usize::from(entry.before)) else {
            return;
        };
        let literal = self.literals.get(usize::from(entry.literal));
        let last = literal.and_then(|literal| text.get(start + literal.len() - 1));
        if last.is_some_and(|last| last.to_ascii_lowercase() == entry.last) {
            self.verify(entry.literal, text, start, found);
        }
    }

    fn verify(&self, keyword: u16, text: &[u8], start: usize, found: &mut Vec<Match>) {
        let literal = self.literals.get(usize::from(keyword));
        let literal = literal.map(AsRef::as_ref).unwrap_or_default();
        let end = start + literal.len();
        let here = text.get(start..end);
        if here.is_some_and(|here: &[u8]| here.eq_ignore_ascii_case(literal)) {
            found.push(Match {
                end,
                start,
                keyword,
            });
        }
    }

    /// The keywords, in order.
    #[cfg(test)]
    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(AsRef::as_ref)
    }
}

/// Where in a keyword that counts anywhere a word begins, whatever stands before the keyword: behind a mark of its own. A
/// word that fills a head is best.
fn word_inside(literal: &[u8]) -> Option<u16> {
    let inside = |len: usize| {
        let begins = |at: &usize| {
            let word = literal.get(*at..*at + len).unwrap_or_default();
            let before = at.checked_sub(1).and_then(|at| literal.get(at));
            before.is_some_and(|mark| mark.is_ascii() && !is_wordy(*mark))
                && !word.is_empty()
                && word.iter().all(u8::is_ascii_alphabetic)
        };
        (0..literal.len()).find(begins)
    };
    let at = inside(HEAD_BYTES).or_else(|| inside(SHORT_HEAD_BYTES))?;
    u16::try_from(at).ok()
}

/// The first four bytes, or zeros behind the last.
#[inline]
fn window(bytes: &[u8]) -> u32 {
    let window = bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut short = [0; HEAD_BYTES];
        short
            .iter_mut()
            .zip(bytes)
            .for_each(|(slot, byte)| *slot = *byte);
        short
    });
    u32::from_be_bytes(window)
}

/// The low bits of the first three letters, which do not tell small from capital ones.
#[inline]
fn letters(window: u32) -> usize {
    let letter = |shift: u32| (window >> shift & 31) as usize;
    letter(24) << 10 | letter(16) << 5 | letter(8)
}

impl Head {
    #[inline]
    fn of(window: u32, len: usize) -> Self {
        let gone = 8 * (HEAD_BYTES - len.clamp(1, HEAD_BYTES));
        Self {
            bytes: (window | 0x2020_2020) >> gone << gone,
            len: u8::try_from(len).unwrap_or(u8::MAX),
        }
    }

    #[inline]
    fn hash(self) -> usize {
        let mixed = (self.bytes ^ u32::from(self.len)).wrapping_mul(0x9e37_79b1);
        usize::try_from(mixed >> 17).unwrap_or(0) % (64 * FILTER_WORDS)
    }
}

/// A small letter: begins a word, but not behind a letter or digit.
const LOWER: u16 = 1;
/// A capital letter, or a digit that a keyword begins with: begins a word, but not behind another.
const UPPER: u16 = 1 << 1;
/// The first byte of another character: begins a word.
const LEAD: u16 = 1 << 2;
/// Something may begin here, whatever stands before.
const MARK: u16 = 1 << 3;
/// A digit: a value may begin with it by shape, but not in a word.
const DIGIT: u16 = 1 << 4;
/// The mark of a keyword.
const MARKED: u16 = 1 << 7;
/// Keywords may begin with it.
const KEYED: u16 = LOWER | UPPER | LEAD;
const WORDY: u16 = KEYED | DIGIT;
const BEGINS: u16 = WORDY | MARK;
/// Where the half begins that says what may begin behind a byte.
const BEHIND: u32 = 8;

/// Two neighbouring bytes.
const PAIRS: usize = 65_536;

/// Letters that are rare, from the rarest: the best marks after those that are no letters.
const RARE: &[u8] = b"jqxzvwkbygp";

/// Bytes by which a keyword is found.
const HEAD_BYTES: usize = 4;

/// Letters of a word inside a keyword that say enough: `:AA`.
const SHORT_HEAD_BYTES: usize = 2;

/// 32,768 bits: for about a thousand heads, and for three times five bits of letters.
const FILTER_WORDS: usize = 512;

/// Two times five bits of letters.
const TWO_LETTERS: usize = 1024;

/// Places for heads.
const HEADS: usize = 4096;

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::super::catalog::Catalog;
    use super::super::place::{Opening, Places};
    use super::super::shape::Shapes;
    use super::*;

    /// All matches, by looking at every place where something may begin.
    fn found(keywords: &Keywords, text: &[u8]) -> Vec<Match> {
        let (shapes, mut found) = (Shapes::default(), Vec::new());
        for place in Places::new(keywords, &shapes, text, Opening::default()) {
            keywords.matches(text, place.at, place.head, &mut found);
        }
        found.sort_unstable();
        found
    }

    /// False where a keyword that counts at the beginning of words does not count.
    fn counts(text: &[u8], found: Match) -> bool {
        let first = text[found.start];
        match found.start.checked_sub(1).map(|at| text[at]) {
            Some(b'a'..=b'z') => !first.is_ascii_lowercase(),
            Some(b'A'..=b'Z' | b'0'..=b'9') => !first.is_ascii_alphanumeric(),
            _ => true,
        }
    }

    /// All matches, by an automaton.
    fn automatic(keywords: &Keywords, text: &[u8]) -> Vec<Match> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(keywords.literals())
            .expect("few keywords");
        let mut found: Vec<Match> = automaton
            .find_overlapping_iter(text)
            .map(|found| Match {
                end: found.end(),
                start: found.start(),
                keyword: found.pattern().as_u32() as u16,
            })
            .collect();
        found.sort_unstable();
        found
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let catalog = Catalog::builtin();
        let literals: Vec<Vec<u8>> = catalog.keywords.literals().map(<[u8]>::to_vec).collect();
        let piece = prop_oneof![
            proptest::sample::select(literals.clone()),
            proptest::sample::select(literals).prop_map(|text| text.to_ascii_uppercase()),
            proptest::collection::vec(any::<u8>(), 0..4),
            "[a-z@:/_ -]{0,3}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn agree(keywords: &Keywords, text: &[u8]) -> Result<(), TestCaseError> {
        let (found, automatic) = (found(keywords, text), automatic(keywords, text));
        for one in &found {
            prop_assert!(automatic.contains(one), "{one:?} is none");
        }
        for one in automatic {
            prop_assert!(
                found.contains(&one) || !counts(text, one),
                "{one:?} is missing"
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn an_automaton_finds_the_same(text in texts()) {
            agree(&Catalog::builtin().keywords, &text)?;
        }
    }

    #[test]
    fn short_and_nested_keywords_are_found_in_any_case() {
        let mut keywords = Keywords::default();
        for literal in [
            "pw",
            "pin",
            "token",
            "accesstoken",
            "x",
            "2fa",
            "\u{43f}\u{430}",
        ] {
            assert!(keywords.insert(literal.as_bytes(), Place::Word));
        }
        for literal in ["@", "sig=", "cess", "passwort"] {
            assert!(keywords.insert(literal.as_bytes(), Place::Anywhere));
        }
        assert!(!keywords.insert(b"", Place::Word));
        let texts = [
            "@",
            "PW",
            "myPin",
            "AccessToken@pwpin",
            "toke",
            "",
            "xSIG=",
            "MEINPASSWORT",
            "my2FA 2fa 12fa_2fa",
            "\u{43f}\u{430}",
        ];
        for text in texts {
            agree(&keywords, text.as_bytes()).expect("the automaton's matches");
        }
        let count = |text: &str| found(&keywords, text.as_bytes()).len();
        assert_eq!(count("AccessToken@pwpin"), 5, "with Token, without pin");
        assert_eq!(count("xsig="), 2);
        assert_eq!(count("MEINPASSWORT"), 1);
    }
}
