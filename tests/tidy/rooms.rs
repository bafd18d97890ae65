//! The rooms of a crate stand on floors: no room imports one that imports it, by whatever way round.

use super::rust_files;
use crate::repository::{names_in, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which room imports which: a room is a file, or a folder with the file of its name, directly below `src`.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn rooms(folder: &str) -> Imports {
    let rooms: BTreeSet<String> =
        names_in(folder).into_iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    let mut imports = Imports::new();
    for file in rust_files(&[folder]) {
        let inside = file.strip_prefix(folder).expect("it was found there");
        let room = inside.iter().next().unwrap_or_default().to_string_lossy().trim_end_matches(".rs").to_owned();
        // These two name every room, and tests may look anywhere.
        if ["lib", "main"].contains(&room.as_str()) || is_for_tests(inside) {
            continue;
        }
        let text = read(&file);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for path in line.split("crate::").skip(1) {
                let other: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if other != room && rooms.contains(&other) {
                    imports.entry(room.clone()).or_default().insert(other);
                }
            }
        }
    }
    imports
}

fn is_for_tests(file: &Path) -> bool {
    let names = ["tests", "fixture", "properties", "vectors"];
    file.iter().any(|part| names.contains(&part.to_string_lossy().trim_end_matches(".rs")))
}

/// The rooms from which `room` can be reached again, going by imports; none where it is on no circle.
fn circle(imports: &Imports, room: &str) -> Option<Vec<String>> {
    let mut open = vec![vec![room.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = open.pop() {
        for next in imports.get(way.last().expect("a way is not empty")).into_iter().flatten() {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == room {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                open.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_room_imports_itself_by_way_of_others() {
    for name in names_in("crates") {
        let imports = rooms(&format!("crates/{name}/src"));
        for room in imports.keys() {
            let circle = circle(&imports, room);
            assert!(circle.is_none(), "crates/{name}: {}", circle.unwrap_or_default().join(" -> "));
        }
    }
}

#[test]
fn a_circle_is_found() {
    let import = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|to| (*to).to_owned()).collect());
    let imports = Imports::from([import("a", &["b", "d"]), import("b", &["c"]), import("c", &["a"])]);
    assert_eq!(circle(&imports, "a").unwrap().join(" "), "a b c a");
    assert_eq!(circle(&imports, "d"), None);
}
