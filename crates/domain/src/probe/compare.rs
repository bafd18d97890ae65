//! The verdict on the answers to one probe.

use super::answer::{Answer, Fields, fields, part_of};
use crate::policy::calling::{Compared, Probe, ProbeMethod};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How often each path is asked.
pub const ROUNDS: usize = 5;
/// What is shown of a value, and of a field's name.
const LONGEST_VALUE: usize = 80;
/// How much more often, in percent of all pairs, the new side must differ in a field that the old side itself changes.
/// With a few rounds, a value that the old side draws at random differs a little more often by chance.
const MARGIN_PERCENT: usize = 50;
/// What a field's name has in it where its value is a secret.
const SECRET: [&str; 8] = ["authorization", "cookie", "credential", "key", "password", "secret", "session", "token"];

/// The answers of one round, or what came instead of them. The old side is asked before and after the new one, so that
/// a value that changes with time is seen to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The old side's, before and after.
    pub old: [Result<Answer, String>; 2],
    /// The new side's.
    pub new: Result<Answer, String>,
}

/// A field in which the new side differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The field, such as `body.total`.
    pub field: String,
    /// What the old side answered, cut, and masked where it is a secret.
    pub old: String,
    /// What the new side answered.
    pub new: String,
}

/// What came of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Verdict {
    /// The new side answered as the old one does.
    Same {
        /// The fields that the old side itself changes, which were not compared.
        noise: Vec<String>,
    },
    /// It did not.
    Differs {
        /// At least one.
        differences: Vec<Difference>,
    },
    /// Nothing can be said, for this reason.
    NotComparable {
        /// The reason, and what to do.
        why: String,
    },
}

/// Compares the answers to one probe.
///
/// A field differs where the new side's values differ from the old side's more often than the old side's differ among
/// themselves. Rates are taken over all pairs of answers.
pub fn compare(probe: &Probe, rounds: &[Round]) -> Verdict {
    if rounds.is_empty() {
        return Verdict::NotComparable { why: "it was never asked".to_owned() };
    }
    if let Some(difference) = rounds.iter().find_map(|round| unexpected(probe, round)) {
        return Verdict::Differs { differences: vec![difference] };
    }
    let answers = |of: fn(&Round) -> Vec<&Result<Answer, String>>| -> Vec<&Result<Answer, String>> {
        rounds.iter().flat_map(of).collect()
    };
    let old = answers(|round| round.old.iter().collect());
    if let Some(why) = old.iter().find_map(|answer| wrong_old(probe, answer)) {
        return Verdict::NotComparable { why };
    }
    let new = answers(|round| vec![&round.new]);
    let mut levels = probe.compare.clone();
    if probe.method == ProbeMethod::Head {
        // There is no body to compare.
        levels.retain(|level| *level == Compared::Headers);
    }
    let bodies = levels.iter().any(|level| *level != Compared::Headers);
    if bodies && old.iter().chain(&new).any(|answer| answer.as_ref().is_ok_and(|answer| answer.cut)) {
        let why = "an answer is longer than 64 kB, which is all that is read; compare its status or its headers";
        return Verdict::NotComparable { why: why.to_owned() };
    }
    let taken_apart = |all: &[&Result<Answer, String>]| -> Vec<Fields> {
        all.iter().filter_map(|answer| answer.as_ref().ok()).map(|answer| fields(answer, &levels)).collect()
    };
    of_fields(&taken_apart(&old), &taken_apart(&new))
}

/// What the new side did other than it was expected to.
fn unexpected(probe: &Probe, round: &Round) -> Option<Difference> {
    let said = |answer: &Result<Answer, String>| match answer {
        Ok(answer) => answer.status.to_string(),
        Err(why) => shown("status", &format!("no answer: {why}")),
    };
    let as_expected = round.new.as_ref().is_ok_and(|answer| answer.status == probe.expect);
    (!as_expected).then(|| Difference {
        field: "status".to_owned(),
        old: said(&round.old[0]),
        new: format!("{}, expected {}", said(&round.new), probe.expect),
    })
}

/// Why an answer of the old side is nothing to compare with.
fn wrong_old(probe: &Probe, answer: &Result<Answer, String>) -> Option<String> {
    let what = match answer {
        Ok(answer) if answer.status == probe.expect => return None,
        Ok(answer) => format!("answered {}", answer.status),
        Err(why) => format!("did not answer ({})", plain(why)),
    };
    Some(format!(
        "the old side {what}, and the policy expects {}; correct expect or path in the policy, or repair the old side",
        probe.expect
    ))
}

fn of_fields(old: &[Fields], new: &[Fields]) -> Verdict {
    let names: BTreeSet<&String> = old.iter().chain(new).flat_map(BTreeMap::keys).collect();
    let pairs_of_old = old.len() * old.len().saturating_sub(1) / 2;
    let pairs = old.len() * new.len();
    let changes_in_old = |name: &str| {
        let indexed = old.iter().enumerate();
        indexed.map(|(at, one)| old[at + 1..].iter().filter(|other| one.get(name) != other.get(name)).count()).sum()
    };
    // Where the old side's own members come and go, a member that only the new side has shown says nothing.
    let comes_and_goes = |name: &&&String| {
        let has = old.iter().filter(|fields| fields.contains_key(name.as_str())).count();
        has > 0 && has < old.len()
    };
    let unsteady: BTreeSet<&str> = names.iter().filter(comes_and_goes).map(|name| part_of(name)).collect();
    let (mut differences, mut noise) = (Vec::new(), Vec::new());
    for name in names {
        let changed: usize = changes_in_old(name);
        let is_new = old.iter().all(|fields| !fields.contains_key(name));
        if changed > 0 || (is_new && unsteady.contains(part_of(name))) {
            noise.push(plain(name));
        }
        if is_new && unsteady.contains(part_of(name)) {
            continue;
        }
        let differing = |answer: &Fields| old.iter().filter(|one| one.get(name) != answer.get(name)).count();
        let raw: usize = new.iter().map(differing).sum();
        let margin = if changed == 0 { 0 } else { MARGIN_PERCENT };
        // raw / pairs > changed / pairs_of_old + margin, in whole numbers.
        if raw * pairs_of_old * 100 > (changed * 100 + margin * pairs_of_old) * pairs {
            differences.extend(difference(name, old, new));
        }
    }
    if differences.is_empty() { Verdict::Same { noise } } else { Verdict::Differs { differences } }
}

/// The first pair that differs.
fn difference(name: &str, old: &[Fields], new: &[Fields]) -> Option<Difference> {
    let differs = |(old, new): &(&Fields, &Fields)| old.get(name) != new.get(name);
    let (old, new) = old.iter().flat_map(|old| new.iter().map(move |new| (old, new))).find(differs)?;
    let value = |fields: &Fields| fields.get(name).map_or_else(|| "absent".to_owned(), |value| shown(name, value));
    Some(Difference { field: plain(name), old: value(old), new: value(new) })
}

/// A value for people: masked where its name says that it is a secret.
fn shown(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    if SECRET.iter().any(|part| name.contains(part)) { "(masked)".to_owned() } else { plain(value) }
}

/// What a target has said, for people: cut, without control characters.
fn plain(text: &str) -> String {
    let mut plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = plain.by_ref().take(LONGEST_VALUE).collect();
    if plain.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}
