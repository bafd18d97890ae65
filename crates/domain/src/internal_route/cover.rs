//! Which of a host's requests a rule's conditions match.

use crate::load_balancer::rule::{Condition, Field};
use crate::load_balancer::wildcard::matches_in_any_case;

/// How many of a host's requests reach a rule, if no other rule comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// None.
    None,
    /// Some: those with certain paths, methods, headers, queries or clients.
    Part,
    /// All of them. A regular expression counts as one that matches everything, since Crossfade does not evaluate it.
    Whole,
}

/// How many of the requests with this host match all conditions. `host` is a name without wildcards.
pub fn cover(conditions: &[Condition], host: &str) -> Cover {
    conditions.iter().map(|condition| of_condition(condition, host)).min().unwrap_or(Cover::Whole)
}

fn of_condition(condition: &Condition, host: &str) -> Cover {
    if condition.regex {
        return Cover::Whole;
    }
    let of_value = |value: &String| match condition.field {
        Field::Host if matches_in_any_case(value, host) => Cover::Whole,
        Field::Host => Cover::None,
        Field::Path => of_path(value),
        Field::SourceIp if value == "0.0.0.0/0" => Cover::Whole,
        Field::SourceIp | Field::Method | Field::Header(_) | Field::Query | Field::Other(_) => Cover::Part,
    };
    condition.values.iter().map(of_value).max().unwrap_or(Cover::Part)
}

/// A path begins with a slash, so a pattern that begins with another character matches none.
fn of_path(pattern: &str) -> Cover {
    let stars = |text: &str| !text.is_empty() && text.chars().all(|c| c == '*');
    if stars(pattern) || pattern.strip_prefix(['/', '?']).is_some_and(stars) {
        Cover::Whole
    } else if pattern.starts_with(['/', '*', '?']) {
        Cover::Part
    } else {
        Cover::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(field: Field, values: &[&str]) -> Condition {
        Condition::on(field, values.iter().copied())
    }

    #[test]
    fn a_rule_covers_a_host_wholly_in_part_or_not_at_all() {
        let host = || on(Field::Host, &["*.internal.example"]);
        let other = || on(Field::Host, &["orders.internal.example"]);
        let regex = Condition { regex: true, ..on(Field::Host, &["^users.*"]) };
        for (conditions, expected) in [
            (vec![], Cover::Whole),
            (vec![host()], Cover::Whole),
            (vec![on(Field::Host, &["orders.internal.example", "USERS.internal.example"])], Cover::Whole),
            (vec![other()], Cover::None),
            (vec![on(Field::Path, &["/*"])], Cover::Whole),
            (vec![on(Field::Path, &["*"])], Cover::Whole),
            (vec![on(Field::Path, &["/api/*"])], Cover::Part),
            (vec![on(Field::Path, &["/"])], Cover::Part),
            (vec![on(Field::Path, &["api/*"])], Cover::None),
            (vec![host(), on(Field::Path, &["/api/*"])], Cover::Part),
            (vec![other(), on(Field::Path, &["/*"])], Cover::None),
            (vec![on(Field::SourceIp, &["0.0.0.0/0"])], Cover::Whole),
            (vec![on(Field::SourceIp, &["10.0.0.0/8"])], Cover::Part),
            (vec![on(Field::Method, &["GET"]), on(Field::Path, &["/*"])], Cover::Part),
            (vec![on(Field::Header("x-beta".into()), &["*"])], Cover::Part),
            (vec![regex.clone()], Cover::Whole),
            (vec![regex, other()], Cover::None),
        ] {
            assert_eq!(cover(&conditions, "users.internal.example"), expected, "{conditions:?}");
        }
    }
}
