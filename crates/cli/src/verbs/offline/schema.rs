//! `crossfade schema`: prints JSON Schemas of the documents that people write, for editors.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use clap::{Args, ValueEnum};
use crossfade_domain::policy::document::policy_schema;
use crossfade_rehearsal::scenario::scenario_schema;
use std::io::Write;

/// Print the JSON Schema of a policy or a scenario, for editors.
///
/// Example:
///   crossfade schema policy > policy.schema.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SchemaArguments {
    /// The document.
    #[arg(value_enum)]
    document: Document,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Document {
    /// A fleet's policy.
    Policy,
    /// A scenario of `crossfade rehearse`.
    Scenario,
}

/// Runs the command and returns its exit code: 0, or 1 if the output cannot be written.
pub fn run(arguments: &SchemaArguments, stdout: &mut impl Write) -> ExitCode {
    let schema = match arguments.document {
        Document::Policy => policy_schema(),
        Document::Scenario => scenario_schema(),
    };
    writeln!(stdout, "{schema:#}").map_or_else(|error| Failure::of_output(&error).code, |()| ExitCode::Done)
}
