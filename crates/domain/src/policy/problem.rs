//! What is wrong with a document, every problem at once, each with its path.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where: `services[0].schedule[2].weight`; empty for the document itself.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
}

/// Everything that is wrong with a document; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// ` (did you mean "x"?)` for the known word nearest to what was written, or nothing where none is near.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // `dry_run` and `dryrun` are `dryRun`, at any distance.
    let plain = |word: &str| word.replace(['_', '-'], "").to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| {
            let distance = if plain(word) == plain(written) { 0 } else { strsim::damerau_levenshtein(word, written) };
            (distance, word)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map_or_else(String::new, |(_, word)| format!(" (did you mean \"{word}\"?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["schedule", "alarms", "dryRun"];
        assert_eq!(did_you_mean("scedule", known), " (did you mean \"schedule\"?)");
        assert_eq!(did_you_mean("dry_run", known), " (did you mean \"dryRun\"?)");
        assert_eq!(did_you_mean("weights", known), "");
    }

    #[test]
    fn problems_read_in_one_line() {
        let problem = |path: &str| Problem { path: path.into(), message: "missing".into() };
        assert_eq!(Problems(vec![problem("a.b"), problem("")]).to_string(), "a.b: missing; missing");
    }
}
