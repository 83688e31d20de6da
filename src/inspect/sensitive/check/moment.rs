//! Dates that can be a birth.

/// A calendar date from 1900 to 2025 in one of the usual orders: `1990-12-31`, `31.12.1990`, `12/31/1990`,
/// `31 Dec 1990`, `December 31, 1990`, `19901231`. A time of day may follow.
pub fn birth_date(text: &[u8]) -> bool {
    let mut numbers = [0_u32; 3];
    let mut lengths = [0_usize; 3];
    let mut fields = 0_usize;
    let mut month = false;
    for run in text.chunk_by(|left, right| left.is_ascii_digit() == right.is_ascii_digit()) {
        let Some(first) = run.first() else { continue };
        if first.is_ascii_digit() {
            if fields == 3 {
                break;
            }
            let value = run.iter().try_fold(0_u32, |sum, byte| {
                sum.checked_mul(10)?.checked_add(u32::from(byte - b'0'))
            });
            let (Some(value), Some(slot), Some(length)) =
                (value, numbers.get_mut(fields), lengths.get_mut(fields))
            else {
                return false;
            };
            (*slot, *length) = (value, run.len());
            fields += 1;
        } else if run
            .iter()
            .any(|byte| byte.is_ascii_alphabetic() && *byte != b'T')
            && fields < 3
        {
            month = true;
        }
    }
    match (fields, month) {
        // The month is spelled out: day and year in either order.
        (2.., true) => {
            let (a, b) = (numbers[0], numbers[1]);
            year(b) && day(a) || year(a) && day(b)
        }
        (3, false) => {
            let [a, b, c] = numbers;
            let ymd = lengths[0] == 4 && year(a) && day_month(b, c);
            let dmy = lengths[2] == 4 && year(c) && day_month(a, b);
            // Two-digit years: every one of them can be a year of birth.
            let short = lengths == [2, 2, 2] && day_month(a, b);
            ymd || dmy || short
        }
        (1, false) if lengths[0] == 8 => {
            let n = numbers[0];
            year(n / 10_000) && (1..=12).contains(&(n / 100 % 100)) && day(n % 100)
                || year(n % 10_000) && day_month(n / 1_000_000, n / 10_000 % 100)
        }
        _ => false,
    }
}

fn year(year: u32) -> bool {
    (1900..=2026).contains(&year)
}

fn day(day: u32) -> bool {
    (1..=31).contains(&day)
}

fn day_month(a: u32, b: u32) -> bool {
    day(a) && (1..=12).contains(&b) || day(b) && (1..=12).contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_usual_orders() {
        for good in [
            "1990-12-31",
            "31.12.1990",
            "12/31/1990",
            "7 Aug 1955",
            "December 31, 1990",
            "19901231",
            "1990-12-31T00:00:00Z",
            "31/12/90",
        ] {
            assert!(birth_date(good.as_bytes()), "{good}");
        }
        for bad in [
            "2090-12-31",
            "99.99.1990",
            "soon",
            "",
            "12",
            "1990-13-32",
            "20261301",
        ] {
            assert!(!birth_date(bad.as_bytes()), "{bad}");
        }
    }
}
