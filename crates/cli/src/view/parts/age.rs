//! How long something has been so.

use std::fmt::Write as _;

/// A span in its two largest units: `2h30m`, `12d3h`.
pub fn age(seconds: u32) -> String {
    const UNITS: [(u32, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let mut text = String::new();
    for (unit, letter) in UNITS.iter().skip(first).take(2) {
        let count = left / unit;
        left %= unit;
        if count > 0 || text.is_empty() {
            let _ = write!(text, "{count}{letter}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (754, "12m34s"),
            (9_013, "2h30m"),
            (3_605, "1h"),
            (1_047_900, "12d3h"),
            (86_399, "23h59m"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }
}
