//! The rooms of a crate stand on floors: no room imports one that imports it, directly or by way of others.
//!
//! A room is a file, or a folder with the file of its name. The rule holds between the rooms of every folder. A file
//! and the files in its folder belong together, and may import each other.

use super::rust_files;
use crate::repository::{names_in, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A path of names from the root of a crate.
type Names = Vec<String>;
/// Which room imports which.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Modules that are nothing but tests, which may import anything.
const TESTS: [&str; 4] = ["tests", "fixture", "properties", "vectors"];

/// The modules of a crate that have a file.
#[derive(Default)]
struct Modules {
    /// Their code, without comments and inline tests.
    code: BTreeMap<Names, String>,
    /// What they pass on from other modules by `pub use`, with the path where it is from.
    passed_on: BTreeMap<Names, BTreeMap<String, Names>>,
}

impl Modules {
    fn of(files: impl IntoIterator<Item = (Names, String)>) -> Self {
        let code: BTreeMap<Names, String> = files.into_iter().map(|(module, text)| (module, code_of(&text))).collect();
        let mut passed_on: BTreeMap<Names, BTreeMap<String, Names>> = BTreeMap::new();
        for (module, text) in &code {
            for line in text.lines().filter(|line| line.starts_with("pub")) {
                let tree = line.split_once(" use ").map_or("", |(_, tree)| tree);
                for path in paths_of(tree) {
                    let origin = absolute(module, &path);
                    // Not what comes from other crates.
                    if path[0] == "crate" || path[0] == "super" || code.contains_key(&origin[..=module.len()]) {
                        let name = path.last().expect("a path has a name").clone();
                        passed_on.entry(module.clone()).or_default().insert(name, origin);
                    }
                }
            }
        }
        Self { code, passed_on }
    }

    fn below(folder: &str) -> Self {
        let module = |file: &Path| -> Names {
            let inside = file.strip_prefix(folder).expect("it was found there").with_extension("");
            let names = inside.iter().map(|name| name.to_string_lossy().into_owned());
            names.filter(|name| !["lib", "main", "mod"].contains(&name.as_str())).collect()
        };
        let files = rust_files(&[folder]).into_iter().map(|file| (module(&file), read(&file)));
        Self::of(files.filter(|(module, _)| !module.iter().any(|name| TESTS.contains(&name.as_str()))))
    }

    /// The module whose file has what a path names.
    fn origin(&self, path: &[String]) -> Names {
        let mut module = Names::new();
        for (index, name) in path.iter().enumerate() {
            module.push(name.clone());
            if !self.code.contains_key(&module) {
                module.pop();
                let passed_on = self.passed_on.get(&module).and_then(|names| names.get(name));
                let rest = &path[index + 1..];
                return passed_on.map_or(module, |path| self.origin(&[path.as_slice(), rest].concat()));
            }
        }
        module
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, code) in &self.code {
            for (start, _) in ["crate::", "super::"].iter().flat_map(|root| code.match_indices(root)) {
                if code[..start].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)) {
                    continue;
                }
                for path in paths_of(&code[start..]) {
                    let other = self.origin(&absolute(module, &path));
                    let shared = module.iter().zip(&other).take_while(|(mine, theirs)| mine == theirs).count();
                    if shared < module.len().min(other.len()) {
                        let room = |module: &Names| module[..=shared].join("::");
                        imports.entry(room(module)).or_default().insert(room(&other));
                    }
                }
            }
        }
        imports
    }
}

/// A file's code with each `use` on one line, without comments and inline tests.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut code = String::new();
    for line in lines {
        let in_use = code.rsplit('\n').next().is_some_and(|last| last.contains("use ") && !last.contains(';'));
        code.push_str(if in_use { " " } else { "\n" });
        code.push_str(line);
    }
    code
}

/// The paths of the tree with which `text` begins, such as `a::{b, c::d}`.
fn paths_of(text: &str) -> Vec<Names> {
    let mut paths = Vec::new();
    read_tree(text, &[], &mut paths);
    paths
}

/// Reads a tree of paths, and returns what follows it.
fn read_tree<'a>(text: &'a str, above: &[String], paths: &mut Vec<Names>) -> &'a str {
    let mut text = text.trim_start();
    if let Some(branches) = text.strip_prefix('{') {
        text = branches;
        while !text.trim_start().starts_with('}') && !text.is_empty() {
            // What is left of a branch is a star or another name for it.
            text = read_tree(text, above, paths).trim_start_matches(|c| c != ',' && c != '}').trim_start_matches(',');
        }
        return text.trim_start().trim_start_matches('}');
    }
    let (name, rest) = text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()));
    let path = if name.is_empty() { above.to_vec() } else { [above, &[name.to_owned()]].concat() };
    if let Some(below) = rest.strip_prefix("::").filter(|_| !name.is_empty()) {
        return read_tree(below, &path, paths);
    }
    if !path.is_empty() {
        paths.push(path);
    }
    rest
}

/// A path from the root of the crate, as a module means it.
fn absolute(module: &[String], path: &[String]) -> Names {
    let mut names = module.to_vec();
    for name in path {
        match name.as_str() {
            "crate" => names.clear(),
            "super" => _ = names.pop(),
            "self" => {}
            name => names.push(name.to_owned()),
        }
    }
    names
}

/// The rooms from which `room` can be reached again, going by imports; none where it is on no circle.
fn circle(imports: &Imports, room: &str) -> Option<Names> {
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
        let imports = Modules::below(&format!("crates/{name}/src")).imports();
        for room in imports.keys() {
            let circle = circle(&imports, room);
            assert!(circle.is_none(), "crates/{name}: {}", circle.unwrap_or_default().join(" -> "));
        }
    }
}

#[test]
fn a_circle_is_found() {
    #[track_caller]
    fn check(files: &[(&str, &str)], room: &str, expected: Option<&str>) {
        let names = |path: &str| -> Names { path.split("::").map(str::to_owned).collect() };
        let files = files.iter().map(|(module, code)| (names(module), (*code).to_owned()));
        let found = circle(&Modules::of(files).imports(), room).map(|circle| circle.join(" "));
        assert_eq!(found.as_deref(), expected);
    }
    let three =
        [("a", "use crate::{\n    b::B,\n    d as e,\n};"), ("b", "use super::c;"), ("c", "fn f() { crate::a::g() }")];
    check(&three, "a", Some("a b c a"));
    check(&[&three[..], &[("d", "// use crate::a;")]].concat(), "d", None);
    // Deep files make their folders import each other.
    let deep = [("a", ""), ("a::x", "use crate::b::y::Y;"), ("a::z", ""), ("b", ""), ("b::y", "use crate::a::z;")];
    check(&deep, "a", Some("a b a"));
    // What a file passes on is where it is from, and a file may use those of its folder.
    let passed_on = [("a", "pub(crate) use x::X;\nuse y::Y;"), ("a::x", "use super::Y;"), ("a::y", "use super::X;")];
    check(&passed_on, "a::y", None);
    let circular = [("a", "pub(crate) use x::X;"), ("a::x", "use super::y::Y;"), ("a::y", "use super::X;")];
    check(&circular, "a::x", Some("a::x a::y a::x"));
}
