//! Every command that a message or a page prints is one that the command line accepts.

use super::super::terminal::{bare, said};
use crate::repository::{read, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What ends a command in a text.
const ENDS: [char; 12] = ['`', '"', '\'', ',', ';', '(', ')', '|', '>', '#', '\\', '\n'];
/// What clap prints below each refusal.
const REFUSED: &str = "For more information, try '--help'";

/// The files below a folder with this extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// What a source file prints: no tests and no comments, and texts over several lines in one.
fn printed(file: &Path) -> String {
    let text = read(file);
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut joined = String::new();
    for line in code {
        let line = if joined.ends_with('\u{0}') {
            joined.pop();
            line.trim_start()
        } else {
            line
        };
        let (text, end) = line.strip_suffix('\\').map_or((line, '\n'), |text| (text, '\u{0}'));
        joined.push_str(text);
        joined.push(end);
    }
    joined
}

/// The commands in a text, as words. A word in braces is a value that the message fills in.
fn commands(text: &str) -> Vec<Vec<String>> {
    let of = |(start, name): (usize, &str)| -> Option<Vec<String>> {
        if text[..start].ends_with(|before: char| before.is_alphanumeric() || "-/_.".contains(before)) {
            return None;
        }
        let rest = &text[start + name.len()..];
        let (text, after) = rest.split_at(rest.find(ENDS).unwrap_or(rest.len()));
        let mut words: Vec<String> =
            text.split_whitespace().map(|word| word.strip_suffix([':', '.']).unwrap_or(word).to_owned()).collect();
        // A value in quotes.
        let opens = text.ends_with(' ') && after.starts_with(['"', '\'', '\\']);
        if opens && words.last().is_some_and(|word| word.starts_with("--")) {
            words.push("TEXT".to_owned());
        }
        // One word after the name speaks of a verb.
        (words.len() > 1).then_some(words)
    };
    text.match_indices("crossfade ").filter_map(of).collect()
}

/// Whether a word belongs to the command, and not to the sentence around it.
fn belongs(word: &str) -> bool {
    let is_name = word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase());
    word.starts_with("--") || word.contains('{') || is_name
}

/// A word as someone would type it.
fn typed(before: Option<&String>, word: &str) -> String {
    // `$STACK` is a variable of the shell.
    let Some((start, rest)) = word.split_once('{') else { return word.replace('$', "") };
    let value = match before.map(String::as_str) {
        Some("--wave" | "--attempt") => "1",
        Some("--only") => "migrated",
        _ => "users",
    };
    let rest = rest.split_once('}').map_or("", |(_, rest)| rest);
    typed(None, &format!("{start}{value}{rest}"))
}

/// Whether the command line takes these words. Without a region, no command does anything.
fn is_accepted(folder: &Path, words: &[String]) -> bool {
    let mut command = bare("");
    command.args(words).current_dir(folder);
    if words[0] == "rehearse" {
        command.arg("--help");
    }
    !said(command.output().unwrap()).stderr.contains(REFUSED)
}

/// Whether the command line takes a command, with or without the last words of the sentence around it.
fn accepted_in_its_sentence(folder: &Path, words: &[String]) -> bool {
    let typed: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(place, word)| typed(place.checked_sub(1).map(|before| &words[before]), word))
        .collect();
    let least = words.iter().rposition(|word| belongs(word)).map_or(1, |last| last + 1);
    (least..=words.len()).rev().any(|count| is_accepted(folder, &typed[..count]))
}

#[test]
fn every_command_that_is_printed_is_accepted() {
    let verbs = super::verbs();
    let folder = tempfile::tempdir().unwrap();
    let mut found: BTreeMap<Vec<String>, PathBuf> = BTreeMap::new();
    let sources = ["crates/cli/src", "crates/actions/src", "crates/domain/src", "crates/rehearsal/src"];
    let sources = sources.iter().flat_map(|folder| files(folder, "rs"));
    let is_test = |file: &PathBuf| file.iter().any(|part| part == "tests" || part == "tests.rs");
    for file in sources.filter(|file| !is_test(file)) {
        found.extend(commands(&printed(&file)).into_iter().map(|words| (words, file.clone())));
    }
    for file in files("docs", "md").into_iter().chain([PathBuf::from("README.md")]) {
        let text = read(&file);
        let typed = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect::<Vec<_>>().join("\n");
        found.extend(commands(&typed).into_iter().map(|words| (words, file.clone())));
    }
    found.retain(|words, _| verbs.contains(&words[0]));
    assert!(found.len() > 100, "{} commands", found.len());
    let refused: Vec<String> = found
        .iter()
        .filter(|(words, _)| !accepted_in_its_sentence(folder.path(), words))
        .map(|(words, file)| format!("{}: crossfade {}", file.display(), words.join(" ")))
        .collect();
    assert!(refused.is_empty(), "not accepted:\n{}", refused.join("\n"));
}

#[test]
fn a_command_that_is_not_accepted_is_found_in_its_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, accepted: bool| {
        let found = commands(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(accepted_in_its_sentence(folder.path(), &found[0]), accepted, "{text}");
    };
    check("`crossfade resume {service}` goes on", true);
    check("to see it: crossfade retire {name} --status shows it", true);
    check("-> crossfade fleet retire {fleet} --wave {wave}", true);
    check("`crossfade rollback {service} --reason \\\"why\\\"`", true);
    check("`crossfade resume {service} --again`", false);
    check("crossfade resume {service} {fleet}", false);
    check("crossfade status --only everything", false);
    assert!(commands("crossfade wait, or /var/crossfade x, or `crossfade check`").is_empty());
}
