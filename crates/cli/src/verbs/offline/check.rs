//! `crossfade check`: checks a policy file offline.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::view::console::Console;
use crate::view::github::annotation_at;
use clap::Args;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::written_duration;
use crossfade_domain::policy::rollout::{OnStop, Order, RetireWhen, Risk, Rollout};
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use std::path::PathBuf;

/// Check a policy file without AWS.
///
/// Reports every problem at once, with its place in the file and its service.
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
    let file = arguments.file.display().to_string();
    match console.output {
        Output::Json => console.json(&policy)?,
        Output::Human | Output::Github => console.data(&describe(&file, &policy))?,
    }
    for warning in document.warnings(&policy) {
        if console.output == Output::Github {
            console.data(&annotation_at("warning", &file, warning.line, &warning.to_string()))?;
        } else {
            console.say(&format!("warning: {warning}"));
        }
    }
    Ok(ExitCode::Done)
}

fn describe(file: &str, policy: &FleetPolicy) -> String {
    let count = policy.services.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut lines = vec![format!("{file} is valid: fleet {}, {count} service{plural}", policy.fleet)];
    if !policy.rollout.is_default() {
        lines.extend(rollout(&policy.rollout, u32::try_from(count).unwrap_or(u32::MAX)));
    }
    lines.extend(policy.services.iter().map(service));
    lines.join("\n")
}

fn rollout(rollout: &Rollout, services: u32) -> Vec<String> {
    let mut lines = Vec::new();
    if !rollout.canary.is_empty() {
        let bake = written_duration(rollout.canary_bake_seconds);
        lines.push(format!("  canary: {}, baked for {bake}", listed(&rollout.canary)));
    }
    let waves = match rollout.wave_size {
        None => "waves of any size".to_owned(),
        Some(1) => "waves of 1 service".to_owned(),
        Some(most) => format!("waves of {most} services"),
    };
    let order = match rollout.order {
        Order::Risk => "least risk first",
        Order::Listed => "in the order of the file",
    };
    let share = rollout.max_new_share.map_or_else(String::new, |share| {
        format!(", at most {} % of the requests until wave {} has baked", share.percent, share.until_wave)
    });
    lines.push(format!(
        "  waves: {waves}, each baked for {}, {order}{share}",
        written_duration(rollout.wave_bake_seconds)
    ));
    lines.push(format!(
        "  at once: {} services and {} routes, which roll back within {}",
        rollout.concurrency,
        rollout.most_routes(),
        written_duration(rollout.rollback_within_seconds)
    ));
    lines.extend(match rollout.retire {
        RetireWhen::ByHand => None,
        RetireWhen::AfterWave => Some("  old sides: retired when their wave was watched".to_owned()),
        RetireWhen::AtEnd => Some("  old sides: retired when all waves are over".to_owned()),
    });
    let alarms =
        if rollout.alarms.is_empty() { String::new() } else { format!(", or by {}", rollout.alarms.join(", ")) };
    let then = match rollout.on_stop {
        OnStop::Hold => "hold",
        OnStop::Finish => "finish",
        OnStop::RollBack => "roll back",
    };
    let first = rollout.failures.tolerated(services).saturating_add(1);
    lines.push(format!(
        "  stops: at failure {first}, at {} rollbacks within {}{alarms}; what moves then: {then}; {} can fail in all",
        rollout.stop_when.rollbacks,
        written_duration(rollout.stop_when.within_seconds),
        rollout.most_failures(services)
    ));
    lines
}

fn listed(names: &[ServiceName]) -> String {
    names.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

fn service(policy: &ServicePolicy) -> String {
    let steps = &policy.schedule.steps;
    let weights: Vec<String> = steps.iter().map(|step| step.weight.percent().to_string()).collect();
    let bakes: u64 = steps.iter().map(|step| u64::from(step.bake_seconds)).sum();
    let approvals = steps.iter().filter(|step| step.approve).count();
    let after = if policy.after.is_empty() { String::new() } else { format!(", after {}", listed(&policy.after)) };
    let risk = match policy.risk {
        Risk::Low => ", low risk",
        Risk::Medium => "",
        Risk::High => ", high risk",
    };
    format!(
        "  {}: {} %, {} of bakes, {}{}{after}{risk}",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::document::check_fleet;
    use serde_json::{Value, json};

    fn described(rollout: &Value, services: &[&str]) -> String {
        let service = |name: &&str| {
            json!({ "name": name, "risk": "high", "oldTargetGroups": format!("{name}-swarm"), "schedule": "linear",
                "newTargets": { "instances": ["i-1", "i-2"] } })
        };
        let services: Vec<Value> = services.iter().map(service).collect();
        let document = json!({ "fleet": "eks", "rollout": rollout, "services": services });
        describe("policy.yaml", &check_fleet(&document).unwrap())
    }

    #[test]
    fn a_rollout_is_described_with_what_stops_it() {
        let rollout = json!({
            "canary": "users", "canaryBake": "12h", "waveSize": 2, "failures": 1, "alarms": "cluster-api",
            "maxNewShare": { "untilWave": 1, "percent": 20 }, "onStop": "rollBack",
        });
        let services = ["users", "bookings", "payments", "sessions", "rates", "search"];
        let said = described(&rollout, &services);
        let expected = "policy.yaml is valid: fleet eks, 6 services
  canary: users, baked for 12h
  waves: waves of 2 services, each baked for 1h, least risk first, at most 20 % of the requests until wave 1 has baked
  at once: 3 services and 50 routes, which roll back within 10s
  stops: at failure 2, at 2 rollbacks within 10m, or by cluster-api; what moves then: roll back; 4 can fail in all
  users: 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 %, 50m of bakes, NO alarms, high risk";
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn a_policy_without_a_rollout_is_described_by_its_services() {
        assert_eq!(described(&json!({}), &["users"]).lines().count(), 2);
    }
}
