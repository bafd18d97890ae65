//! `crossfade check`: checks a policy file offline.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::view::console::Console;
use clap::Args;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::written_duration;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use std::path::PathBuf;

/// Check a policy file without AWS.
///
/// Reports every problem at once, with its place in the file.
///
/// Examples:
///   crossfade check policy.yaml
///   crossfade check - --output json < policy.yaml    fills in every default
///
/// Exit codes: 0 the policy is valid; 2 it is not.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CheckArguments {
    /// A fleet's policy in YAML or JSON; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print data on standard output.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The file cannot be read, or every problem of the policy.
pub fn run(arguments: &CheckArguments, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let document = policy_file::read(&arguments.file)?;
    let policy = policy_file::decode(&arguments.file, &document)?;
    if console.output == Output::Json {
        console.json(&policy)?;
        return Ok(ExitCode::Done);
    }
    console.data(&describe(&arguments.file.display().to_string(), &policy))?;
    Ok(ExitCode::Done)
}

fn describe(file: &str, policy: &FleetPolicy) -> String {
    let services: Vec<String> = policy.services.iter().map(service).collect();
    let count = services.len();
    format!(
        "{file} is valid: fleet {}, {count} service{}\n{}",
        policy.fleet,
        if count == 1 { "" } else { "s" },
        services.join("\n")
    )
}

fn service(policy: &ServicePolicy) -> String {
    let steps = &policy.schedule.steps;
    let weights: Vec<String> = steps.iter().map(|step| step.weight.percent().to_string()).collect();
    let bakes: u64 = steps.iter().map(|step| u64::from(step.bake_seconds)).sum();
    let approvals = steps.iter().filter(|step| step.approve).count();
    let after = if policy.after.is_empty() {
        String::new()
    } else {
        let names: Vec<&str> = policy.after.iter().map(ServiceName::as_str).collect();
        format!(", after {}", names.join(", "))
    };
    format!(
        "  {}: {} %, {} of bakes, {}{}{after}",
        policy.name,
        weights.join(", "),
        written_duration(u32::try_from(bakes).unwrap_or(u32::MAX)),
        match policy.alarms.len() {
            0 => "NO alarms".to_owned(),
            _ => format!("alarms {}", policy.alarms.join(", ")),
        },
        match approvals {
            0 => String::new(),
            1 => ", 1 approval".to_owned(),
            more => format!(", {more} approvals"),
        }
    )
}
