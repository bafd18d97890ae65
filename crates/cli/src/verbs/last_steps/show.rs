//! What people and programs read of a retirement.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::view::console::Console;
use crossfade_actions::functions::retire::standing::RetirementStanding;
use crossfade_domain::retirement::{Next, RetireVerdict, Retirement, RetirementPhase, RetirementPreview};
use serde_json::{Value, json};

/// Where a retirement is and what it waits for, in a line.
pub(super) fn line(standing: &RetirementStanding) -> String {
    let RetirementStanding { retirement, next } = standing;
    let Retirement { service, number, phase, .. } = retirement;
    format!("{service}, retirement {number}: {}: {}", word(phase), reason(next))
}

/// The word that programs read too.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn reason(next: &Next) -> String {
    match next {
        Next::Wait { reason, .. } | Next::Approve { reason, .. } | Next::Rest { reason } => reason.clone(),
        Next::Hook(hook) => format!("the hook {} is called", hook.function),
        Next::Do(_) => "the next step is due".to_owned(),
    }
}

/// Prints where a retirement is.
pub(super) fn standing(standing: &RetirementStanding, console: &mut Console<'_>) -> Result<(), Failure> {
    let RetirementStanding { retirement, next } = standing;
    if console.output == Output::Json {
        let Retirement { service, number, phase, .. } = retirement;
        let waits = matches!(next, Next::Approve { .. });
        return console.json(&json!({
            "service": service, "retirement": number, "phase": phase, "reason": reason(next),
            "waitsForApproval": waits, "forItsOwner": for_its_owner(retirement),
        }));
    }
    console.data(&line(standing))?;
    owner(retirement, console)
}

/// Prints how an execution has ended well.
pub(super) fn end(
    verdict: RetireVerdict,
    reason: &str,
    retirement: Option<&Retirement>,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let lines = retirement.map(for_its_owner).unwrap_or_default();
    if console.output == Output::Json {
        return console.json(&json!({
            "service": retirement.map(|retirement| &retirement.service), "verdict": verdict, "reason": reason,
            "forItsOwner": lines, "exitCode": ExitCode::Done,
        }));
    }
    console.data(&format!("{}: {reason}", word(&verdict)))?;
    retirement.map_or(Ok(()), |retirement| owner(retirement, console))
}

/// What the tool that owns the routes has to be told, once they are without the old groups.
fn for_its_owner(retirement: &Retirement) -> Vec<String> {
    use RetirementPhase as P;
    match retirement.phase {
        P::Watching | P::Deregistering | P::Deregistered | P::Deleting | P::Deleted => {
            retirement.plan.routes.iter().flat_map(crossfade_domain::retirement::RetiredRoute::for_its_owner).collect()
        }
        P::Proving | P::Detaching | P::Undoing | P::Undone | P::Halted | P::Refused => Vec::new(),
    }
}

fn owner(retirement: &Retirement, console: &mut Console<'_>) -> Result<(), Failure> {
    let lines = for_its_owner(retirement);
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("\n  {line}")).collect();
    console.data(&format!("if Terraform or CloudFormation owns the routes, change them there too:{}", lines.concat()))
}

/// Prints what a retirement would do.
pub(super) fn preview(
    retirement: &Retirement,
    preview: &RetirementPreview,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (service, until) = (&retirement.service, retirement.plan.terms.until.as_str());
    if console.output == Output::Json {
        let mut shown: Value = serde_json::to_value(preview).map_err(|error| Failure::of(&error))?;
        shown["service"] = json!(service);
        shown["until"] = json!(until);
        return console.json(&shown);
    }
    let mut text = vec![format!("{service}: would be retired until {until} (--dry-run)")];
    let parts = [
        ("goes", &preview.goes),
        ("evidence", &preview.evidence),
        ("will break", &preview.breaks),
        ("in the way now", &preview.waits),
    ];
    for (title, lines) in parts.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        text.push(format!("  {title}:"));
        text.extend(lines.iter().map(|line| format!("    {line}")));
    }
    console.data(&text.join("\n"))
}
