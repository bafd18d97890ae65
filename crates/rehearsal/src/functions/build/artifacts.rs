//! What Cargo reports about a compiled target.

use serde::Deserialize;
use std::path::PathBuf;

/// One compiled target, current or just compiled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Artifact {
    pub(super) name: String,
    /// Whether it was already current.
    pub(super) fresh: bool,
    pub(super) executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    fresh: Option<bool>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Artifact {
    /// Decodes a line, if it is about an artifact.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let message: Message = serde_json::from_str(line).ok()?;
        let target = message.target.filter(|_| message.reason == "compiler-artifact")?;
        // A build script has an executable too, which is not wanted.
        let is_binary = target.kind.iter().any(|kind| kind == "bin");
        Some(Self {
            name: target.name,
            fresh: message.fresh.unwrap_or(false),
            executable: message.executable.filter(|_| is_binary),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_told_from_libraries_build_scripts_and_other_messages() {
        let line = |kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"x","target":{{"kind":["{kind}"],"name":"it"}},"fresh":true,"executable":{executable}}}"#
            )
        };
        let artifact = |executable: Option<&str>| {
            Some(Artifact { name: "it".into(), fresh: true, executable: executable.map(PathBuf::from) })
        };
        assert_eq!(Artifact::parse(&line("bin", "\"/t/it\"")), artifact(Some("/t/it")));
        assert_eq!(Artifact::parse(&line("custom-build", "\"/t/build\"")), artifact(None));
        assert_eq!(Artifact::parse(&line("lib", "null")), artifact(None));
        assert_eq!(Artifact::parse(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(Artifact::parse("no JSON"), None);
    }
}
