//! The commands of the pages that no test can run, each with the reason, and as much of it as can be checked here.

use super::super::terminal::{bare, said};
use crate::repository::{read, root};

/// A command that needs what a clone does not bring.
pub(super) struct Elsewhere {
    /// It has this in it.
    pub(super) text: &'static str,
    why: &'static str,
    /// Says what is wrong with it.
    problem: fn(&str) -> Option<String>,
}

pub(super) const ELSEWHERE: [Elsewhere; 17] = [
    Elsewhere { text: "cargo run -- rehearse", why: "every rehearsal has tests of its own", problem: refused },
    Elsewhere { text: "crossfade rehearse", why: "every rehearsal has tests of its own", problem: refused },
    Elsewhere { text: "cargo test --workspace", why: "it runs this test", problem: none },
    Elsewhere { text: "cargo install --locked", why: "it builds for minutes", problem: no_such_path },
    Elsewhere { text: "infra/tools/deploy.py", why: "it needs an account", problem: unknown_parameter },
    Elsewhere { text: "ci/aws-migrate.sh", why: "it needs the aws CLI; ci/test_ci.py runs it", problem: no_such_path },
    Elsewhere { text: "aws elbv2 ", why: "it needs the aws CLI", problem: none },
    Elsewhere { text: "aws lambda ", why: "it needs the aws CLI, and functions in an account", problem: none },
    Elsewhere { text: "aws cloudwatch ", why: "it needs the aws CLI", problem: none },
    Elsewhere { text: "aws logs ", why: "it needs the aws CLI, and functions in an account", problem: none },
    Elsewhere { text: "kubectl rollout ", why: "a rehearsal has pods, and no Kubernetes", problem: none },
    Elsewhere { text: "kubectl label ", why: "a rehearsal has pods, and no Kubernetes", problem: none },
    Elsewhere { text: "kompose convert ", why: "it needs kompose, and a compose file", problem: none },
    Elsewhere { text: "sha256sum ", why: "it needs a release", problem: none },
    Elsewhere { text: "gh attestation ", why: "it needs a release", problem: none },
    Elsewhere { text: "tar -xzf crossfade-VERSION", why: "it needs a release", problem: none },
    Elsewhere { text: "sudo install ", why: "it needs a release, and would change this machine", problem: none },
];

/// Whether a command is one of them.
///
/// # Panics
/// If it is, and something is wrong with it that can be seen here.
pub(super) fn is_for_elsewhere(command: &str) -> bool {
    let Some(found) = ELSEWHERE.iter().find(|one| command.contains(one.text)) else { return false };
    let problem = (found.problem)(command);
    assert!(problem.is_none(), "{command} is not run ({}), but {}", found.why, problem.unwrap_or_default());
    true
}

fn none(_: &str) -> Option<String> {
    None
}

/// What the command line says to words that it does not take. With `--help` it does nothing.
fn refused(command: &str) -> Option<String> {
    let (_, words) = command.split_once(" rehearse").expect("it is listed by this verb");
    let said = said(bare(&format!("rehearse{words} --help")).output().unwrap());
    (said.code != 0).then_some(said.stderr).or_else(|| no_such_path(command))
}

/// A path of the repository that does not exist. What a reader has or makes is in no folder.
fn no_such_path(command: &str) -> Option<String> {
    let mut paths = command.split_whitespace().filter(|word| word.contains('/') && !word.contains(['"', '$']));
    paths.find(|path| !root().join(path).exists()).map(|path| format!("there is no {path}"))
}

/// A parameter that the template does not have.
fn unknown_parameter(command: &str) -> Option<String> {
    let template = read("infra/template.yaml");
    let mut names = command.split_whitespace().filter_map(|word| Some(word.trim_matches('\'').split_once('=')?.0));
    let unknown = names.find(|name| !template.contains(&format!("\n  {name}:\n")));
    unknown.map(|name| format!("the template has no parameter {name}")).or_else(|| no_such_path(command))
}

#[test]
fn what_is_wrong_with_a_command_for_elsewhere_is_seen() {
    let check = |command: &str, expected: &str| {
        let caught = std::panic::catch_unwind(|| is_for_elsewhere(command)).unwrap_err();
        let text = caught.downcast::<String>().unwrap();
        assert!(text.contains(expected), "{text}");
    };
    check("cargo run -- rehearse --keeps", "unexpected argument '--keeps'");
    check("cargo run -- rehearse --scenario examples/rehearsals/first.yaml", "no examples/rehearsals/first.yaml");
    check("python3 infra/tools/deploy.py deploy NotificationMail=a@b.example", "no parameter NotificationMail");
    check("ci/aws-migrates.sh users ci/aws-migrate.sh", "there is no ci/aws-migrates.sh");
    assert!(!is_for_elsewhere("crossfade plan users"));
}
