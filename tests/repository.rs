//! Where the files are that the tests read.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' package is a folder of the repository").into()
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The names in a folder, sorted.
pub(crate) fn names_in(folder: &str) -> Vec<String> {
    let path = root().join(folder);
    let mut names: Vec<_> = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", path.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// `shift-weight` to `ShiftWeight`.
pub(crate) fn pascal_case(kebab_case: &str) -> String {
    kebab_case.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Whether files that tests compare with what the code says now are to be written anew.
#[expect(clippy::disallowed_methods, reason = "insta's variable, which `just transcripts` sets")]
pub(crate) fn must_update() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always")
}
