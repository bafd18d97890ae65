//! The operators' pages, typed from top to bottom against kept rehearsals: every command of every block runs and ends
//! as the page says, or is named in [`elsewhere`] with the reason why it cannot run here.

mod elsewhere;
mod first_service;
mod operations;
mod read_me;
mod reader;
mod typed;

use super::terminal::Kept;
use crate::links::operators_pages;
use crate::repository::read;
use elsewhere::ELSEWHERE;
use reader::Reader;
use std::path::{Path, PathBuf};
use typed::{Content, items};

/// A page, and how someone reads it: what is prepared in between, and how a command ends that does not end with 0.
type Reading = (&'static str, fn(&mut Reader<'_>));

/// Reads pages one after the other in the same world.
fn read_all(kept: &Kept, readings: &[Reading]) {
    for (page, reading) in readings {
        let mut reader = Reader::of(Path::new(page), kept);
        reading(&mut reader);
        reader.closes();
    }
}

/// The pages for which something is prepared.
fn readings() -> impl Iterator<Item = &'static str> {
    let all = read_me::READINGS.iter().chain(&first_service::READINGS).chain(&operations::READINGS);
    all.map(|(page, _)| *page)
}

/// The operators' pages that have a command.
fn pages_with_commands() -> Vec<PathBuf> {
    let has_one =
        |page: &PathBuf| items(&read(page)).iter().any(|item| matches!(item.content, Content::Command { .. }));
    operators_pages().into_iter().filter(has_one).collect()
}

#[test]
fn someone_new_can_type_what_the_readme_says() {
    read_all(&read_me::world(), &read_me::READINGS);
}

#[test]
fn someone_who_moves_the_first_service_can_type_what_the_pages_say() {
    let kept = first_service::world();
    read_all(&kept, &first_service::READINGS);
    // The other pages have no command that needs more than a world.
    let is_prepared = |page: &&PathBuf| readings().any(|prepared| page == &Path::new(prepared));
    for page in pages_with_commands().iter().filter(|page| !is_prepared(page)) {
        let mut reader = Reader::of(page, &kept);
        reader.types_the_rest();
        reader.closes();
    }
}

#[test]
fn an_operator_can_type_what_the_pages_say() {
    read_all(&operations::world(), &operations::READINGS);
}

#[test]
fn what_is_not_run_here_is_on_a_page() {
    let pages = pages_with_commands();
    assert!(pages.len() > 10, "{pages:?}");
    let typed: Vec<String> = pages
        .iter()
        .flat_map(|page| items(&read(page)))
        .filter_map(|item| if let Content::Command { typed, .. } = item.content { Some(typed) } else { None })
        .collect();
    for one in &ELSEWHERE {
        assert!(typed.iter().any(|typed| typed.contains(one.text)), "no page has {:?}: strike it out", one.text);
    }
    for page in readings() {
        assert!(pages.contains(&PathBuf::from(page)), "{page} has no command any more");
    }
}

#[test]
fn every_document_of_a_page_can_be_read() {
    for page in operators_pages() {
        for item in items(&read(&page)) {
            if let Content::Document(text) = item.content {
                let read = serde_yaml_ng::from_str::<serde_json::Value>(&text);
                assert!(read.is_ok_and(|value| !value.is_null()), "{}, line {}", page.display(), item.line);
            }
        }
    }
}

#[test]
fn every_recipe_that_a_page_names_exists() {
    let recipes = read("justfile");
    let named = regex_lite::Regex::new("`just ([a-z0-9-]+)").unwrap();
    for page in operators_pages() {
        for name in named.captures_iter(&read(&page)).map(|found| found[1].to_owned()) {
            let begins = |line: &str| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with([' ', ':']));
            assert!(recipes.lines().any(begins), "{}: the justfile has no recipe {name}", page.display());
        }
    }
}
