//! Finds the profile and target folder in which the caller was built, from the place of its program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The options for Cargo to build next to the caller. The default is the dev profile and the workspace's own folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerBuild {
    /// The profile; `None` for `dev`.
    pub profile: Option<String>,
    /// The target triple, if the caller was built for a named one.
    pub triple: Option<String>,
    /// The target folder; `None` leaves it to Cargo.
    pub target_folder: Option<PathBuf>,
}

impl CallerBuild {
    /// Decodes the place of a program: `<target folder>[/<triple>]/<profile>[/deps]/<program>`. Returns the default if
    /// it is anywhere else, such as for an installed one.
    /// anywhere else, such as an installed one.
    pub fn of(program: &Path) -> Self {
        let Some(mut folder) = program.parent() else { return Self::default() };
        if folder.ends_with("deps") {
            let Some(above) = folder.parent() else { return Self::default() };
            folder = above;
        }
        // Cargo leaves this file in the folder of every profile that it has built.
        if !folder.join(".cargo-lock").is_file() {
            return Self::default();
        }
        let (Some(profile), Some(above)) = (name(folder), folder.parent()) else { return Self::default() };
        let triple = name(above).filter(|name| name.matches('-').count() >= 2);
        let target_folder = if triple.is_some() { above.parent() } else { Some(above) };
        Self {
            // This is the only profile whose folder has another name.
            profile: (profile != "debug").then_some(profile),
            triple,
            target_folder: target_folder.map(Path::to_owned),
        }
    }

    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: OsString| arguments.extend([OsString::from(flag), value]);
        if let Some(profile) = &self.profile {
            add("--profile", profile.into());
        }
        if let Some(triple) = &self.triple {
            add("--target", triple.into());
        }
        if let Some(folder) = &self.target_folder {
            add("--target-dir", folder.into());
        }
        arguments
    }
}

fn name(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_and_the_folders_are_told_from_the_programs_place() {
        let root = tempfile::tempdir().unwrap();
        let check = |place: &str, profile: Option<&str>, triple: Option<&str>, target_folder: Option<&str>| {
            let expected = CallerBuild {
                profile: profile.map(str::to_owned),
                triple: triple.map(str::to_owned),
                target_folder: target_folder.map(|folder| root.path().join(folder)),
            };
            assert_eq!(CallerBuild::of(&root.path().join(place)), expected, "{place}");
        };
        for profile in ["a/debug", "b/release", "c/x86_64-unknown-linux-gnu/debug"] {
            std::fs::create_dir_all(root.path().join(profile)).unwrap();
            std::fs::write(root.path().join(profile).join(".cargo-lock"), "").unwrap();
        }
        check("a/debug/crossfade", None, None, Some("a"));
        check("a/debug/deps/all-1a2b", None, None, Some("a"));
        check("b/release/crossfade", Some("release"), None, Some("b"));
        check("c/x86_64-unknown-linux-gnu/debug/crossfade", None, Some("x86_64-unknown-linux-gnu"), Some("c"));
        check("bin/crossfade", None, None, None);
    }

    #[test]
    fn cargo_is_told_only_what_is_known() {
        assert!(CallerBuild::default().arguments().is_empty());
        let caller = CallerBuild { profile: Some("release".into()), triple: None, target_folder: Some("/t".into()) };
        assert_eq!(caller.arguments(), ["--profile", "release", "--target-dir", "/t"]);
    }
}
