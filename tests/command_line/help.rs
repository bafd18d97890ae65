//! The help of every verb: on 80 columns, with an example, and printed in `docs/help.md`.

mod printed_commands;

use super::terminal::{bare, said};
use crate::repository::{must_update, read, root};
use std::fmt::Write as _;

const PAGE: &str = "docs/help.md";

fn help(words: &str) -> String {
    let said = said(bare(&format!("{words} --help")).output().unwrap());
    assert_eq!(said.code, 0, "{said:#?}");
    for line in said.stdout.lines() {
        assert!(line.chars().count() <= 80, "{words} --help: over 80 columns: {line}");
    }
    // Clap writes spaces into some empty lines.
    said.stdout.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The verbs, as the command lists them; each verb of `fleet` and of `policies` after it.
fn verbs() -> Vec<String> {
    let verbs = listed("");
    assert!(verbs.len() >= 19, "{verbs:?}");
    let with_its_own = |verb: String| {
        let own: Vec<String> = if ["fleet", "policies"].contains(&verb.as_str()) {
            listed(&verb).iter().map(|own| format!("{verb} {own}")).collect()
        } else {
            Vec::new()
        };
        std::iter::once(verb).chain(own)
    };
    verbs.into_iter().flat_map(with_its_own).collect()
}

/// The commands that a help page lists.
fn listed(words: &str) -> Vec<String> {
    help(words)
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// Splits off the options that most verbs share.
fn without_connection(text: &str) -> (&str, Option<&str>) {
    text.split_once("Connection:\n").map_or((text, None), |(own, connection)| (own, Some(connection)))
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in verbs() {
        let text = help(&verb);
        assert!(text.contains("Example") && text.contains(&format!("  crossfade {verb}")), "{text}");
    }
    assert_eq!(said(bare("").output().unwrap()).code, 2);
}

#[test]
fn the_page_of_help_is_what_the_command_prints() {
    let mut page = format!(
        "# `crossfade --help`\n\nThe help of every verb, as the command prints it. [The command line](command-line.md) \
         explains exit codes and\nwhat you can rely on.\n\n```text\n{}```\n",
        help("")
    );
    let mut shared = None;
    for verb in verbs() {
        let text = help(&verb);
        let (own, connection) = without_connection(&text);
        write!(page, "\n## `{verb}`\n\n```text\n{}\n```\n", own.trim_end()).unwrap();
        if let Some(connection) = connection {
            page.push_str("\nAlso takes the [connection options](#connection-options).\n");
            assert_eq!(*shared.get_or_insert_with(|| connection.to_owned()), connection, "{verb}");
        }
    }
    let shared = shared.expect("some verbs connect");
    write!(page, "\n## Connection options\n\n```text\nConnection:\n{}\n```\n", shared.trim_end()).unwrap();
    if must_update() {
        std::fs::write(root().join(PAGE), &page).unwrap();
    }
    assert_eq!(read(PAGE), page, "{PAGE} is out of date: run `just transcripts`");
}
