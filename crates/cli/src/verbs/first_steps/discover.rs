//! `crossfade discover`: reads everything behind the load balancers, and prints a first policy. Changes nothing.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::survey::survey;
use crossfade_domain::policy::discovery::candidates::Candidates;
use crossfade_domain::policy::discovery::draft;
use crossfade_domain::policy::discovery::merge;
use crossfade_domain::policy::discovery::survey::{AccountSurvey, GroupFound};
use std::path::{Path, PathBuf};

/// Draft a policy from everything behind the load balancers.
///
/// Prints YAML with a service for each target group that can move, those with the
/// fewest requests first, and what was seen of it as comments. It lists what is not
/// included, and why. Complete the lines with FILL IN.
///
/// It only reads, at most five calls a second: 120 target groups take a minute.
/// It needs no stack. infra/discover-policy.json has the permissions. Standard
/// error says what it is reading. If CloudWatch cannot be read, the draft has no
/// requests and no alarms, and says so.
///
/// Examples:
///   crossfade discover > policy.yaml
///   crossfade check policy.yaml                    names the lines to complete
///   crossfade discover --merge policy.yaml > new.yaml   adds what is new
///   crossfade discover --output json > survey.json      everything that was read
///
/// Exit codes: 0 printed; 2 the file cannot be merged; 8 load balancers cannot be
/// read: access denied, or AWS unreachable.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct DiscoverArguments {
    /// The name of the fleet in the draft.
    #[arg(long, value_name = "NAME", default_value = "new-cluster", conflicts_with = "merge")]
    fleet: String,
    /// Prints this policy unchanged, with the services added that it does not have yet.
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
    /// Where the load balancers are.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Something cannot be read, or the file takes no new services.
pub async fn run(
    arguments: &DiscoverArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    // A file that cannot be used is found before a minute of reading.
    let file = arguments.merge.as_deref().map(File::read).transpose()?;
    let found = {
        let mut said = String::new();
        let mut progress = |what: &str, done: usize, all: usize| {
            // A line for each kind and each tenth of it.
            let line = match done * 10 / all.max(1) * all.max(1) / 10 {
                0 => format!("reading {what}"),
                tenth => format!("reading {what}: {tenth} of {all}"),
            };
            if line != said {
                console.say(&line);
                said = line;
            }
        };
        survey(&session.ports, &mut progress).await.map_err(|error| session.failed(&error))?
    };
    for line in found.unread() {
        console.say(&line);
    }
    if console.output == Output::Json {
        console.json(&found)?;
        return Ok(ExitCode::Done);
    }
    let text = match file {
        None => draft::policy(&found, &Candidates::of(&found, &[], |_| false), &arguments.fleet),
        Some(file) => file.merged(&found, console)?,
    };
    console.data(text.strip_suffix('\n').unwrap_or(&text))?;
    Ok(ExitCode::Done)
}

/// A policy to which services are added.
struct File {
    name: String,
    text: String,
    names: Vec<String>,
    groups: Vec<String>,
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let document = policy_file::read(path)?.value;
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::bad_input(format!("cannot read {name}: {error}")))?;
        Ok(Self { name, text, names: merge::names_in(&document), groups: merge::groups_in(&document) })
    }

    fn has(&self, found: &GroupFound) -> bool {
        let group = &found.group;
        self.groups.iter().any(|known| *known == group.name || known == group.arn.as_str())
    }

    fn merged(&self, found: &AccountSurvey, console: &mut Console<'_>) -> Result<String, Failure> {
        let candidates = Candidates::of(found, &self.names, |group| self.has(group));
        for left_out in candidates.left_out.iter().filter(|left_out| !self.has(left_out.group)) {
            console.say(&format!("not included: {}: {}", left_out.group.group.name, left_out.why));
        }
        let lines: Vec<String> = candidates.services.iter().flat_map(|one| draft::service(found, one)).collect();
        let added = candidates.services.len();
        let merged = merge::append(&self.text, &lines)
            .map_err(|error| Failure::bad_input(format!("cannot add services to {}: {error}", self.name)))?;
        console.say(&format!(
            "{added} service{} added; {} itself is unchanged",
            if added == 1 { "" } else { "s" },
            self.name
        ));
        Ok(merged)
    }
}
