//! Every link in a document leads to a file and a heading that exist.

use crate::repository::{read, root};
use crate::tidy::listed_files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The lines of a document that are not inside a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The targets of all links of a document: what is between `](` and `)`.
fn links(text: &str) -> Vec<String> {
    // A link may break over two lines between its text and its target, but never inside the target.
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char));
            let slug = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        })
        .collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
        plain
    })
}

/// What is wrong with a link of a document.
fn problem(document: &Path, link: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { document.to_owned() } else { plain(&document.parent().unwrap().join(file)) };
    if !root().join(&target).exists() {
        return Some(format!("{} links to {link}: there is no {}", document.display(), target.display()));
    }
    let is_known = anchor.is_empty() || anchors(&read(&target)).contains(anchor);
    (!is_known).then(|| format!("{} links to {link}: no heading of {} is so", document.display(), target.display()))
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let documents = listed_files(&["*.md"]);
    assert!(documents.len() > 20, "{documents:?}");
    let mut count = 0;
    let mut problems = Vec::new();
    for document in &documents {
        for link in links(&read(document)) {
            count += 1;
            problems.extend(problem(document, &link));
        }
    }
    assert!(count > 200, "{count} links");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_page_that_code_names_exists() {
    let page = regex_lite::Regex::new(r"\b(docs/[a-z0-9/-]+\.md)(#[a-z0-9-]+)?").unwrap();
    let mut problems = BTreeSet::new();
    for path in listed_files(&["*.rs", "*.py", "*.yaml", "*.json", "*.toml", "*.sh", "justfile"]) {
        if path.ends_with("tests/links.rs") {
            continue;
        }
        let text = read(&path);
        for found in page.captures_iter(&text) {
            let target = Path::new(found.get(1).unwrap().as_str());
            let anchor = found.get(2).map_or("", |anchor| &anchor.as_str()[1..]);
            let is_there = root().join(target).exists();
            if !is_there || !anchor.is_empty() && !anchors(&read(target)).contains(anchor) {
                problems.insert(format!("{} names {}", path.display(), &found[0]));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let document = Path::new("docs/fleets.md");
    assert_eq!(problem(document, "../README.md#limits-and-cost"), None);
    assert_eq!(problem(document, "https://example.com/nothing"), None);
    assert!(problem(document, "nowhere.md").unwrap().contains("there is no docs/nowhere.md"));
    assert!(problem(document, "../README.md#no-such-heading").unwrap().contains("no heading of README.md"));
    assert_eq!(links("[a](b.md)\n```text\n[c](d.md)\n```\nand [e](f.md#g), [h](i.md)"), ["b.md", "f.md#g", "i.md"]);
}

/// The pages that are rendered from the code, to look things up.
const RENDERED: [&str; 3] = ["docs/help.md", "docs/policy.md", "docs/scenario.md"];
/// What an operator can read in an hour. Marks of tables and code are no words.
const WORDS: usize = 12_000;

/// The pages that someone wrote for operators.
pub(crate) fn operators_pages() -> Vec<PathBuf> {
    let is_theirs = |page: &PathBuf| {
        !page.starts_with("docs/internals") && RENDERED.iter().all(|rendered| page != Path::new(rendered))
    };
    listed_files(&["README.md", "docs/*.md"]).into_iter().filter(is_theirs).collect()
}

#[test]
fn operators_can_read_their_pages_in_an_hour_and_each_says_what_it_is_for() {
    let pages = operators_pages();
    assert!(pages.len() > 10, "{pages:?}");
    let is_word = |text: &&str| text.chars().any(char::is_alphanumeric);
    let words = |page: &PathBuf| read(page).split_whitespace().filter(is_word).count();
    let count: usize = pages.iter().map(words).sum();
    assert!(count <= WORDS, "{count} words: what no operator acts on belongs to docs/internals");
    for page in pages.iter().filter(|page| page.starts_with("docs")) {
        let text = read(page);
        let first = text.split("\n\n").nth(1).unwrap_or_default();
        assert!(first.starts_with("This page "), "{} does not begin with what it is for", page.display());
    }
}
