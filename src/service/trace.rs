//! W3C Trace Context: the `traceparent` of the carried request, so that what we did can be seen in its trace.

/// The trace that a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that sent the message.
    pub parent: [u8; 8],
    /// What its sender decided about recording.
    pub sampling: Sampling,
}

/// Whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// It is.
    Recorded,
    /// It is not.
    Left,
}

impl TraceContext {
    /// Reads the value of a `traceparent` field; `None` when it is not one, as the recommendation (§3.2.2) has it: a
    /// version that is known to be none, capitals, or an identifier of zeros.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let fixed = value.trim_ascii();
        let (fixed, rest) = fixed.split_at_checked(FIXED_BYTES)?;
        let mut parts = fixed.split(|byte| *byte == b'-');
        let [version] = hex::<1>(parts.next()?)?;
        let trace = hex::<16>(parts.next()?)?;
        let parent = hex::<8>(parts.next()?)?;
        let [flags] = hex::<1>(parts.next()?)?;
        let well_formed = match (version, rest) {
            (0, []) => true,
            (0 | 0xff, _) => false,
            // What later versions add comes after a dash.
            (_, rest) => rest.is_empty() || rest.starts_with(b"-"),
        };
        let named = trace != [0; 16] && parent != [0; 8];
        (well_formed && named && parts.next().is_none()).then_some(Self {
            trace,
            parent,
            sampling: match flags & 1 {
                1 => Sampling::Recorded,
                _ => Sampling::Left,
            },
        })
    }

    /// The trace in lower-case hexadecimal, as logs and collectors write it.
    pub fn trace_id(&self) -> String {
        hexadecimal(&self.trace)
    }
}

/// `bytes` in lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

/// `00-` 32 digits `-` 16 digits `-01`.
const FIXED_BYTES: usize = 55;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_recommendation_is_read() {
        let context = TraceContext::parse(GOOD.as_bytes()).expect("good");
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(hexadecimal(&context.parent), "00f067aa0ba902b7");
        assert_eq!(context.sampling, Sampling::Recorded);
        let left = GOOD.replace("-01", "-00");
        let left = TraceContext::parse(left.as_bytes()).expect("good");
        assert_eq!(left.sampling, Sampling::Left);
        let later = format!("{}-more", GOOD.replacen("00", "01", 1));
        assert!(TraceContext::parse(later.as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for bad in [
            String::new(),
            GOOD.to_uppercase(),
            format!("{GOOD}-more"),
            GOOD.replacen("00", "ff", 1),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace("-01", "-0g"),
            GOOD.replace('-', "_"),
            GOOD[..54].to_owned(),
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
