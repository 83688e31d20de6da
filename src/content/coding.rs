//! Content-codings.

use super::declared::Coding;
use super::meter::Meter;
use super::reader::{Event, Input};
use super::window::Window;

/// Undoes one content-coding.
#[derive(Debug)]
pub(super) struct CodingReader {
    _coding: Coding,
}

impl CodingReader {
    /// A reader of that coding.
    pub(super) fn of(coding: Coding) -> Self {
        Self { _coding: coding }
    }

    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Window,
        _meter: &mut Meter,
    ) -> Event {
        out.copy(&mut input.bytes);
        if out.is_full() {
            Event::Full
        } else {
            Event::NeedInput
        }
    }
}
