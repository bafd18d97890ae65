//! Times, spans and numbers for people.

use jiff::Timestamp;

/// `2026-11-28 14:05:10 UTC`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `14:05:10` of a day, or with the day if it is another one.
pub(crate) fn clock(at: Timestamp, day: Timestamp) -> String {
    let is_same = at.strftime("%F").to_string() == day.strftime("%F").to_string();
    at.strftime(if is_same { "%H:%M:%S UTC" } else { "%-d %b %H:%M:%S UTC" }).to_string()
}

/// `9 s`, `12 min 30 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let whole = to.duration_since(from).as_secs_f64().max(0.0);
    if whole < 10.0 {
        return format!("{} s", number(whole));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a span of a migration, above 0")]
    let seconds = whole.round() as u64;
    let two = |first: u64, unit: &str, second: u64, smaller: &str| match second {
        0 => format!("{first} {unit}"),
        _ => format!("{first} {unit} {second} {smaller}"),
    };
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// At most one digit after the point: `3`, `0.5`.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `1,234,567`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `1,234 requests`.
pub(crate) fn counted(value: u64, what: &str) -> String {
    format!("{} {what}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A share in percent, with as many digits as a small one needs: `0.03 %`. None of nothing.
pub(crate) fn share(part: u64, of: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests")]
    let percent = 100.0 * part as f64 / of as f64;
    (of > 0).then_some(percent)
}

/// A share in words: `12.5 %`, `0.03 %`, or a dash for none.
pub(crate) fn percent(share: Option<f64>) -> String {
    match share {
        None => "\u{2013}".to_owned(),
        Some(share) if share > 0.0 && share < 1.0 => format!("{share:.2} %"),
        Some(share) => format!("{} %", number(share)),
    }
}

/// A text that may stand in an `id`: letters, digits and hyphens.
pub(crate) fn id(parts: &[&str]) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    parts.iter().map(|part| part.chars().map(plain).collect::<String>()).collect::<Vec<_>>().join("-")
}

/// The first letter as a capital.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_numbers_read_as_people_write_them() {
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let of = |seconds: i64| span(second(0), second(seconds));
        assert_eq!([of(-3), of(9), of(119), of(750), of(3_600)], ["0 s", "9 s", "119 s", "12 min 30 s", "1 h"]);
        assert_eq!([of(7_500), of(273_600)], ["2 h 5 min", "3 d 4 h"]);
        assert_eq!([count(7), count(1_000), count(1_234_567)], ["7", "1,000", "1,234,567"]);
        assert_eq!(
            [percent(share(1, 3_000)), percent(share(1, 8)), percent(share(0, 0))],
            ["0.03 %", "12.5 %", "\u{2013}"]
        );
        assert_eq!(id(&["weight", "users-1<"]), "weight-users-1-");
    }

    #[test]
    fn a_time_of_another_day_has_its_day() {
        let [one, other] = ["2026-11-28T14:05:10Z", "2026-11-29T01:00:00Z"].map(|text| text.parse().unwrap());
        assert_eq!([clock(one, one), clock(other, one)], ["14:05:10 UTC", "29 Nov 01:00:00 UTC"]);
        assert_eq!(time(one), "2026-11-28 14:05:10 UTC");
    }
}
