//! What is wrong with a value or a name that was handed out: how it is written, and what equals it.

use super::super::keys::{Clash, Flood, Kind, Novelty};
use super::super::number;
use super::super::rule::Rule;
use super::super::string::{Flaw, Flaws};
use super::super::token::Role;
use super::habits::Cursor;
use super::{Pass, Purpose, Shape};
use crate::anomaly::Anomaly;
use crate::inspect::leaf::{LeafSink, Notice, Step};
use crate::inspect::pollution::{may_reach_prototype, reaches_prototype};
use crate::span::Span;

impl<S: LeafSink + ?Sized> Pass<'_, S> {
    #[inline]
    pub(super) fn leave_scalar(&mut self, role: Role, kind: Kind, raw: &[u8], at: u64) {
        if self.state.document.purpose == Purpose::Values {
            return;
        }
        if kind == Kind::Number && raw.len() > SHORT_NUMBER {
            let rule = match number::flaw(raw, self.state.limits.number_digits) {
                None => None,
                Some(number::Flaw::Long) => Some(Rule::NumberLong),
                Some(number::Flaw::Overflow) => Some(Rule::NumberOverflow),
            };
            if let Some(rule) = rule {
                self.record(rule, Span::new(at, at + raw.len() as u64));
            }
        }
        self.leave(role, kind, raw);
    }

    /// A value or a name was handed out.
    #[inline]
    pub(super) fn leave(&mut self, role: Role, kind: Kind, bytes: &[u8]) {
        if self.state.document.purpose == Purpose::Structure {
            self.compare(role, kind, bytes);
        }
    }

    /// Compares a value or a name with those before it.
    #[inline(never)]
    fn compare(&mut self, role: Role, kind: Kind, bytes: &[u8]) {
        match role {
            Role::Key => self.key(bytes),
            Role::Value => {
                if bytes.first() == Some(&b'/') && kind == Kind::Text {
                    self.pointer(bytes);
                }
                let hash = self.state.keys.hash(bytes);
                self.value(hash, kind);
            }
            Role::Comment => {}
        }
    }

    /// A value or a name that came in windows: it equals no other.
    pub(super) fn leave_windowed(&mut self, role: Role, start: u64) {
        match role {
            Role::Key => self.record(Rule::LongKey, Span::new(start, start)),
            Role::Value => self.value(start, Kind::Text),
            Role::Comment => {}
        }
    }

    /// A name that was not foreseen.
    #[inline(never)]
    fn key(&mut self, name: &[u8]) {
        let state = &mut *self.state;
        if state.beyond > 0 {
            return;
        }
        let Some(frame) = state.frames.last_mut() else {
            return;
        };
        let span = frame.key;
        let hash = state.keys.hash_name(name);
        state.keys.settle(|place| state.habits.name(place));
        let may_reach_prototype = may_reach_prototype(name);
        frame.cursor = match may_reach_prototype {
            true => Cursor::default(),
            false => state.habits.learn(frame.cursor, name, hash),
        };
        self.note_key(name, hash);
        if !may_reach_prototype {
            return;
        }
        let parent = match self.state.path.steps().nth_back(1) {
            Some(Step::Name(parent)) => Some(parent),
            Some(Step::Attribute(_) | Step::Index(_)) | None => None,
        };
        if reaches_prototype(name, parent) {
            self.record(Rule::PrototypeKey, span);
            self.sink.notice(Notice::PrototypeName, span);
        }
    }

    /// Compares a name with those of its object; `hash` is its hash.
    #[inline(never)]
    pub(super) fn note_key(&mut self, name: &[u8], hash: u64) {
        let state = &mut *self.state;
        state.keys.settle(|place| state.habits.name(place));
        let Some(frame) = state.frames.last_mut() else {
            return;
        };
        let span = frame.key;
        frame.hash = state.keys.join(frame.hash, hash);
        let kept = state.keys.key(name, hash, state.limits.keys);
        if name.len() > state.limits.key_bytes as usize {
            self.record(Rule::LongKey, span);
        }
        match kept {
            Ok(Novelty::New) => {}
            Ok(Novelty::Repeated) => self.sink.notice(Notice::RepeatedName, span),
            Err(Flood::Object) => self.record(Rule::KeyFlood, span),
            Err(Flood::Document) => {
                self.findings.anomaly(
                    Anomaly::StructureLimit,
                    self.state.document.part,
                    span.start,
                );
            }
        }
    }

    /// The value of a member or an item is complete.
    #[inline]
    pub(super) fn value(&mut self, hash: u64, kind: Kind) {
        let state = &mut *self.state;
        if state.beyond > 0 {
            return;
        }
        let Some(frame) = state.frames.last_mut() else {
            return;
        };
        frame.hash = state.keys.join(frame.hash, hash);
        if frame.shape == Shape::Object {
            let span = frame.key;
            let clash = state.keys.value(hash, kind);
            match clash {
                None => {}
                Some(Clash::Duplicate) => self.record(Rule::DuplicateKey, span),
                Some(Clash::Collision) => self.record(Rule::KeyCollision, span),
            }
        }
    }

    /// RFC 6902: `path` and `from` of a JSON Patch operation are pointers into the document that is patched.
    #[inline(never)]
    fn pointer(&mut self, pointer: &[u8]) {
        let names = [b"path".as_slice(), b"from"];
        let is_patch = self
            .state
            .path
            .last_name()
            .is_some_and(|name| names.contains(&name));
        if is_patch && reaches_prototype(pointer, None) {
            let span = self.state.frames.last().map(|frame| frame.key);
            self.record(Rule::PrototypePointer, span.unwrap_or_default());
        }
    }

    pub(super) fn flaws(&mut self, flaws: Flaws, role: Role, value: &[u8]) {
        for (flaw, at) in flaws.iter() {
            let rule = match flaw {
                // A value that is NUL and nothing else is cut short by no reader.
                Flaw::Nul if role == Role::Value && value == [0] => continue,
                Flaw::Escape => Rule::Escape,
                Flaw::LoneSurrogate => Rule::LoneSurrogate,
                Flaw::Nul => Rule::NulEscape,
                Flaw::Utf8 => Rule::InvalidUtf8,
            };
            self.record(rule, Span::new(at, at));
        }
    }
}

/// Numbers up to this many bytes are far from both limits: three digits of exponent need five bytes.
const SHORT_NUMBER: usize = 4;
