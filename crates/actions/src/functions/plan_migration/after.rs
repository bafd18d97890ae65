//! The services that a service comes after, which migrate first.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Finding, FindingCode, Severity};
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::ServicePolicy;

/// A finding for each service that `policy` comes after and that has not migrated. It refuses a start, unless the
/// request ignores the order. A dry run shows it as a warning.
///
/// # Errors
/// `Transient` and `Denied` from the table.
pub(super) async fn findings(
    ports: &Ports,
    policy: &ServicePolicy,
    request: &PlanRequest,
    execution: &str,
) -> Result<Vec<Finding>, ActionError> {
    if policy.after.is_empty() {
        return Ok(Vec::new());
    }
    let heads = ports.ledger.heads(&policy.after).await;
    let heads = heads.doing(|| format!("reading the heads of the services that {} comes after", policy.name))?;
    let head = |service: &ServiceName| heads.iter().find(|head| head.service == *service);
    let is_missing = |service: &&ServiceName| head(service).is_none_or(|head| head.phase != Phase::Migrated);
    let finding = |service: &ServiceName| {
        let name = &policy.name;
        let (standing, first) = standing(service, head(service));
        let why = match &request.reason {
            Some(reason) if request.ignore_after && !request.dry_run => {
                format!("{} started {name} all the same: {reason}", who(request, execution))
            }
            _ => format!(
                "{first}, then start {name}; or start it all the same with `crossfade start {name} --ignore-after \
                 --reason TEXT`"
            ),
        };
        Finding {
            severity: if request.dry_run || request.ignore_after { Severity::Warning } else { Severity::Refusal },
            code: FindingCode::AfterNotMigrated,
            subject: service.to_string(),
            message: format!("{name} comes after {service}, which has not migrated ({standing}); {why}"),
        }
    };
    Ok(policy.after.iter().filter(is_missing).map(finding).collect())
}

/// What the journal records of a start that ignores the order: nothing where every service that comes first has
/// migrated.
pub(super) fn after_ignored(findings: &[Finding]) -> Option<String> {
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

/// Who asks, for the journal. An execution that was started elsewhere does not know more than its own name.
fn who(request: &PlanRequest, execution: &str) -> String {
    let name = execution.rsplit(':').next().unwrap_or_default();
    request.who.clone().unwrap_or_else(|| format!("whoever started execution {name}"))
}

/// Who asks, and why where the request says so.
pub(super) fn who_and_why(request: &PlanRequest, execution: &str) -> String {
    let who = who(request, execution);
    request.reason.as_ref().map_or_else(|| who.clone(), |why| format!("{who}: {why}"))
}

/// Where a service stands that has not migrated, and the command that comes next for it.
fn standing(service: &ServiceName, head: Option<&Head>) -> (String, String) {
    let Some(head) = head else { return ("never started".to_owned(), start(service)) };
    let (phase, next) = match head.phase {
        Phase::Planned => ("planned", wait(service)),
        Phase::Moving => ("moving", wait(service)),
        Phase::RollingBack | Phase::Settling => ("being rolled back", wait(service)),
        Phase::RolledBack => ("rolled back", start(service)),
        Phase::Refused => ("refused", start(service)),
        Phase::Halted => ("halted", format!("resume it with `crossfade resume {service} --wait`")),
        Phase::Migrated => ("migrated", start(service)),
    };
    (format!("{} is {phase}", head.migration), next)
}

fn start(service: &ServiceName) -> String {
    format!("move it first with `crossfade start {service} --wait`")
}

fn wait(service: &ServiceName) -> String {
    format!("wait for it with `crossfade wait {service}`")
}
