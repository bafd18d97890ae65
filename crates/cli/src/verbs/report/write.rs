//! Writes a page into its file.

use crate::ending::failure::Failure;
use std::path::Path;

/// Refuses a file that cannot be written, before anything is read.
pub(in crate::verbs) fn check(file: &Path) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let why = match folder {
        _ if file.is_dir() => "it is a folder; give the name of a file".to_owned(),
        Some(folder) if !folder.is_dir() => format!("there is no folder {}", folder.display()),
        _ => return Ok(()),
    };
    Err(Failure::bad_input(format!("cannot write {}: {why}", file.display())))
}

/// Writes the page, and replaces an earlier one.
pub(in crate::verbs) fn page(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|error| Failure::bad_input(format!("cannot write {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(&folder.path().join("report.html")), Ok(()));
        assert_eq!(check(Path::new("report.html")), Ok(()));
        let of = |path: &Path| check(path).unwrap_err().message;
        assert!(of(folder.path()).ends_with("it is a folder; give the name of a file"));
        assert!(of(&folder.path().join("no/report.html")).contains("there is no folder "));
    }
}
