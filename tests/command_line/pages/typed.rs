//! What a page shows between its fences: commands with what they print, and documents.

/// Languages of blocks that nobody types or saves.
const SHOWN: [&str; 2] = ["text", "hcl"];

/// Something that a page asks its reader to type or to save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The heading above it.
    pub(super) heading: String,
    /// The line of the page where it begins, counted from 1.
    pub(super) line: usize,
    pub(super) content: Content,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A line for a shell, and what the page shows below it.
    Command { typed: String, shown: Vec<String> },
    /// YAML, or JSON.
    Document(String),
}

/// Returns the commands and the documents of a page, from top to bottom.
///
/// # Panics
/// If a block has a language that is none of those, since its commands would be lost.
pub(super) fn items(page: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut heading = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            if let Some(text) = line.strip_prefix('#') {
                text.trim_start_matches('#').trim().clone_into(&mut heading);
            }
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let block: Vec<(usize, &str)> = lines
            .by_ref()
            .take_while(|(_, line)| line.trim() != "```")
            .map(|(number, line)| (number + 1, line.get(indent..).unwrap_or_default()))
            .collect();
        let contents = match language {
            "console" => commands(&block, "$ "),
            "sh" => commands(&block, ""),
            "yaml" | "json" => {
                let lines = block.iter().map(|(_, line)| format!("{line}\n"));
                vec![(number + 2, Content::Document(lines.collect()))]
            }
            _ if SHOWN.contains(&language) => Vec::new(),
            _ => panic!("line {}: expected console, sh, yaml, json, {SHOWN:?} after the fence: {line}", number + 1),
        };
        items.extend(contents.into_iter().map(|(line, content)| Item { heading: heading.clone(), line, content }));
    }
    items
}

/// The commands of a block. Each begins with the prompt; what follows it and has none is what it prints.
fn commands(block: &[(usize, &str)], prompt: &str) -> Vec<(usize, Content)> {
    let mut found: Vec<(usize, Content)> = Vec::new();
    let mut lines = block.iter();
    while let Some((number, line)) = lines.next() {
        let Some(first) = line.strip_prefix(prompt) else {
            let Some((_, Content::Command { shown, .. })) = found.last_mut() else {
                panic!("line {number}: a command begins with {prompt:?}: {line}")
            };
            shown.push((*line).to_owned());
            continue;
        };
        let mut typed = first.to_owned();
        while let Some(begun) = typed.strip_suffix('\\') {
            let (_, next) = lines.next().unwrap_or_else(|| panic!("line {number}: nothing follows the backslash"));
            typed = begun.to_owned() + next.trim_start();
        }
        let typed = typed.split("  # ").next().unwrap_or_default().trim().to_owned();
        found.push((*number, Content::Command { typed, shown: Vec::new() }));
    }
    found
}

#[test]
fn commands_and_documents_are_found_with_their_headings() {
    let console = "```console\n$ a --b    # why\n$ c \\\n    d\nprinted\n  more\n```\n";
    let indented = "1. Item:\n\n   ```yaml\n   x:\n     y: 1\n   ```\n";
    let others = "```sh\ne\n```\n```text\n$ not a command\n```\n";
    let page = format!("# Top\n\n{console}\n## Below\n\n{indented}\n{others}");
    let command = |typed: &str, shown: &[&str]| Content::Command {
        typed: typed.to_owned(),
        shown: shown.iter().map(|line| (*line).to_owned()).collect(),
    };
    let found: Vec<_> = items(&page).into_iter().map(|item| (item.heading, item.line, item.content)).collect();
    let expected = [
        ("Top", 4, command("a --b", &[])),
        ("Top", 5, command("c d", &["printed", "  more"])),
        ("Below", 16, Content::Document("x:\n  y: 1\n".to_owned())),
        ("Below", 21, command("e", &[])),
    ];
    assert_eq!(found, expected.map(|(heading, line, content)| (heading.to_owned(), line, content)));
}

#[test]
#[should_panic(expected = "line 1: expected console")]
fn a_block_in_another_language_is_not_passed_over() {
    items("```shell-session\n$ crossfade check\n```\n");
}
