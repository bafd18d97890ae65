//! A weight as a bar.

use crossfade_domain::weight::Weight;

/// A block by how many eighths of a column it fills.
const EIGHTHS: [char; 9] =
    [' ', '\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}', '\u{2589}', '\u{2588}'];
/// A column that nothing fills.
const EMPTY: char = '\u{2591}';

/// Draws a weight on so many columns. A weight above 0 is never an empty bar, and one below 100 never a full one. An
/// unknown weight is blank.
pub fn bar(weight: Option<Weight>, columns: usize) -> String {
    let Some(weight) = weight else { return " ".repeat(columns) };
    let all = columns * 8;
    let mut filled = usize::from(weight.tenths()) * all / usize::from(Weight::FULL.tenths());
    if weight > Weight::ZERO && weight < Weight::FULL {
        filled = filled.clamp(1, all.saturating_sub(1));
    }
    let column = |place: usize| match filled.saturating_sub(place * 8) {
        0 => EMPTY,
        eighths => EIGHTHS[eighths.min(8)],
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(percent: f64, expected: &str) {
        assert_eq!(bar(Some(Weight::try_new(percent).unwrap()), 4), expected, "{percent}");
    }

    #[test]
    fn a_bar_is_empty_only_at_0_and_full_only_at_100() {
        check(0.0, "\u{2591}\u{2591}\u{2591}\u{2591}");
        check(0.1, "\u{258f}\u{2591}\u{2591}\u{2591}");
        check(25.0, "\u{2588}\u{2591}\u{2591}\u{2591}");
        check(40.0, "\u{2588}\u{258c}\u{2591}\u{2591}");
        check(99.9, "\u{2588}\u{2588}\u{2588}\u{2589}");
        check(100.0, "\u{2588}\u{2588}\u{2588}\u{2588}");
        assert_eq!(bar(None, 4), "    ");
    }
}
