//! Reasons as a row has room for them: a dozen words, with the names and numbers that a person needs.
//!
//! The journal keeps every sentence in full: `crossfade history` prints them.

use crossfade_domain::plan::Plan;

/// The most words of a reason in a row.
const WORDS: usize = 12;
/// What CloudWatch begins its reason with.
const CROSSED: &str = "Threshold Crossed: ";
/// More digits than these after the point are no use to a person.
const DIGITS: usize = 3;

/// A reason in a dozen words: `users-5xx: 11.8, over 1`.
pub fn few_words(reason: &str, plan: Option<&Plan>) -> String {
    let text = tidied(reason, plan).replace(" is firing: ", ": ").replace(" fired: ", ": ");
    let text = ["alarms: ", "alarm "].iter().find_map(|start| text.strip_prefix(start)).unwrap_or(&text);
    let words: Vec<&str> = text.split_whitespace().collect();
    // A sign is no word: `25 %`, `g 750 + g-eks 250`.
    let is_word = |word: &str| word.chars().any(char::is_alphanumeric);
    let mut counted = 0;
    let most = words.iter().take_while(|word| {
        counted += usize::from(is_word(word));
        counted <= WORDS
    });
    let most = most.count();
    if most == words.len() {
        return words.join(" ");
    }
    format!("{}\u{2026}", words[..most].join(" ").trim_end_matches([',', ';', ':', '.']))
}

/// A reason with all its words. Its routes are named by what they take, its ARNs by their last part, what CloudWatch
/// says of an alarm is a value and a threshold, and its numbers have three digits.
pub fn tidied(reason: &str, plan: Option<&Plan>) -> String {
    let mut text = reason.to_owned();
    for route in plan.iter().flat_map(|plan| &plan.routes) {
        text = text.replace(&route.id.describe(), &route.named());
    }
    // The values of our own alarms are shares; what those of others are, CloudWatch does not say.
    let guards: Vec<String> = plan.map(Plan::guard_names).unwrap_or_default();
    let text = without_arns(&crossed(&text, &guards));
    rounded_numbers(&text)
}

/// Replaces each sentence of CloudWatch by the worst value and the threshold.
fn crossed(text: &str, guards: &[String]) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(CROSSED) {
        let (before, sentence) = (&rest[..start], &rest[start + CROSSED.len()..]);
        short.push_str(before);
        let is_share = guards.iter().any(|guard| {
            let named = before.trim_end_matches(": ");
            [" is firing", " fired"]
                .iter()
                .any(|verb| named.strip_suffix(verb).is_some_and(|name| name.ends_with(guard)))
        });
        if let Some((said, after)) = value_and_threshold(sentence, if is_share { " %" } else { "" }) {
            short.push_str(&said);
            rest = after;
        } else {
            short.push_str(CROSSED);
            rest = sentence;
        }
    }
    short.push_str(rest);
    short
}

/// `11.8 %, over 1 %`, and what follows the sentence; none where it is another kind of sentence.
fn value_and_threshold<'a>(sentence: &'a str, unit: &str) -> Option<(String, &'a str)> {
    if sentence.starts_with("no datapoints") {
        let after = sentence.split_once("].").map_or("", |(_, after)| after);
        return Some(("no data, which counts as bad".to_owned(), after));
    }
    let (_, rest) = sentence.split_once('[')?;
    let (points, rest) = rest.split_once(']')?;
    let (comparison, rest) = rest.split_once(" the threshold (")?;
    let (threshold, rest) = rest.split_once(')')?;
    let after = rest.strip_prefix(" (minimum ").and_then(|rest| Some(rest.split_once(')')?.1)).unwrap_or(rest);
    let after = after.strip_prefix('.').unwrap_or(after);
    let threshold: f64 = threshold.parse().ok()?;
    let values = points.split(',').filter_map(|point| point.split_whitespace().next()?.parse::<f64>().ok());
    let over = comparison.contains("greater");
    let worst = values.reduce(if over { f64::max } else { f64::min })?;
    let word = match (over, comparison.contains("or equal")) {
        (true, false) => "over",
        (true, true) => "at or over",
        (false, false) => "under",
        (false, true) => "at or under",
    };
    Some((format!("{}{unit}, {word} {}{unit}", rounded(worst), rounded(threshold)), after))
}

/// Replaces each ARN by its last part, which is a name.
fn without_arns(text: &str) -> String {
    let word = |word: &str| {
        let Some(start) = word.find("arn:") else { return word.to_owned() };
        let arn = word[start..].trim_end_matches([',', ';', ':', '.', ')']);
        let name = arn.rsplit(['/', ':']).next().unwrap_or(arn);
        format!("{}{name}{}", &word[..start], &word[start + arn.len()..])
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Rounds the numbers that have more digits than a person reads.
fn rounded_numbers(text: &str) -> String {
    let is_of_number = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let mut short = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_number) {
        short.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|letter| !is_of_number(letter)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let number = word.trim_end_matches('.');
        let digits = number.split_once('.').map_or(0, |(_, digits)| digits.len());
        match number.parse::<f64>() {
            Ok(value) if digits > DIGITS => {
                short.push_str(&rounded(value));
                short.push_str(&word[number.len()..]);
            }
            _ => short.push_str(word),
        }
        rest = after;
    }
    short.push_str(rest);
    short
}

/// A number with three digits, and no fewer before its point than it has.
fn rounded(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a number has at most 309 digits before its point")]
    let before = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let places = usize::try_from(2 - before).unwrap_or(0);
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: &str, expected: &str) {
        assert_eq!(few_words(reason, None), expected);
    }

    #[test]
    fn what_cloudwatch_says_of_an_alarm_is_a_value_and_a_threshold() {
        check(
            "alarm users-5xx fired: Threshold Crossed: 2 out of the last 3 datapoints [11.764705882352942, 0.0, 4.0] \
             were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).",
            "users-5xx: 11.8, over 1",
        );
        check(
            "alarms: a is firing: Threshold Crossed: 1 out of the last 1 datapoints [3.0 (28/10/25 10:00:00)] was \
             greater than or equal to the threshold (0.05) (minimum 1 datapoint for OK -> ALARM transition)., b is \
             firing: Threshold Crossed: 1 datapoint [12.0 (28/10/25 10:00:00)] was less than the threshold (20.0).",
            "a: 3, at or over 0.05, b: 12, under 20",
        );
        check(
            "alarm quiet fired: Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints \
             were treated as [Breaching].",
            "quiet: no data, which counts as bad",
        );
        let band = "Threshold Crossed: 1 datapoint [9.0] was outside of a band";
        check(&format!("alarm band fired: {band}"), &format!("band: {band}"));
    }

    #[test]
    fn a_reason_has_a_dozen_words_and_names_instead_of_arns() {
        check(
            "rolled back by arn:aws:sts::111122223333:assumed-role/admin/ana: invoices are missing",
            "rolled back by ana: invoices are missing",
        );
        check(
            "one two three four five six seven eight nine ten eleven twelve",
            "one two three four five six seven \
              eight nine ten eleven twelve",
        );
        check("a b c d e f g h i j k l, m", "a b c d e f g h i j k l\u{2026}");
        check("a b c d e f g h i 10 % + 20 % k", "a b c d e f g h i 10 % + 20 % k");
        check("", "");
    }

    #[test]
    fn numbers_have_three_digits_and_names_stay() {
        let all = tidied("12.345678 of 0.0012345678 at 10.0.0.1 and service-1.23456 in 1.5 (99999.99999).", None);
        assert_eq!(all, "12.3 of 0.00123 at 10.0.0.1 and service-1.23456 in 1.5 (100000).");
        assert_eq!((rounded(0.0), rounded(1500.0), rounded(-2.5)), ("0".into(), "1500".into(), "-2.5".into()));
    }
}
