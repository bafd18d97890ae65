//! A plan, for people.

use super::estimate::{Estimate, new_group};
use super::{steps, windows};
use crossfade_domain::load_balancer::group::Target;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Plan, PlannedGroup, PlannedRoute, Severity};
use crossfade_domain::policy::document::written_duration;
use crossfade_domain::policy::service_policy::NewTargets;
use crossfade_domain::routing::drift::describe;
use crossfade_domain::routing::route_edit::at_step;
use crossfade_domain::windows::Calendars;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

/// Renders the routes, the findings, the estimate, and the command that does what was planned.
pub(super) fn render(
    plan: &Plan,
    estimate: &Estimate,
    calendars: &Calendars,
    policy: Option<&Path>,
    now: Timestamp,
) -> String {
    let mut parts = vec![headline(plan, estimate), groups(plan)];
    parts.extend(plan.routes.iter().map(|route| one_route(plan, route)));
    parts.push(findings(plan));
    parts.extend(for_terraform(plan));
    parts.extend(windows::render(plan, calendars, now));
    parts.push(estimates(plan, estimate));
    parts.push(format!("Nothing was changed. To start: {}", to_start(&plan.service, policy)));
    parts.join("\n\n")
}

/// The command that does what was planned.
fn to_start(service: &ServiceName, policy: Option<&Path>) -> String {
    let policy = policy.map(|file| format!(" --policy {}", as_word(file))).unwrap_or_default();
    format!("crossfade start {service}{policy}")
}

/// A file's name as one word of a shell.
fn as_word(file: &Path) -> String {
    let name = file.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@%:,".contains(letter);
    if name.chars().all(is_plain) { name } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

fn headline(plan: &Plan, estimate: &Estimate) -> String {
    let routes = counted(plan.routes.len(), "route");
    let steps = counted(plan.policy.schedule.steps.len(), "step");
    format!("{}: {routes} in {steps}, {} of bakes", plan.migration, duration(estimate.bake_seconds))
}

fn groups(plan: &Plan) -> String {
    let one = |group: &PlannedGroup| {
        format!(
            "  + {} on {}, a copy of {} ({} healthy); {}",
            group.new_name,
            group.load_balancer.name(),
            group.old.name(),
            group.old_healthy,
            who_registers(&plan.policy.new_targets, group.settings.port)
        )
    };
    format!("Target groups\n{}", plan.groups.iter().map(one).collect::<Vec<_>>().join("\n"))
}

/// Says who registers the new targets of a group with this port, and at which ports.
fn who_registers(targets: &NewTargets, of_group: u16) -> String {
    let all = |targets: &[Target], thing: &str| {
        let ports: BTreeSet<u16> = targets.iter().map(|target| target.port.unwrap_or(of_group)).collect();
        let word = if ports.len() == 1 { "port" } else { "ports" };
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        format!("Crossfade registers {} at {word} {}", counted(targets.len(), thing), ports.join(", "))
    };
    match targets {
        NewTargets::Binding(binding) => {
            format!("a controller registers service {}/{} port {}", binding.namespace, binding.service, binding.port)
        }
        NewTargets::Instances(targets) => all(targets, "instance"),
        NewTargets::Ips(targets) => all(targets, "address"),
        NewTargets::AutoScalingGroup(group) => {
            format!("Auto Scaling group {} registers its instances at port {of_group}", group.name)
        }
    }
}

/// Renders a route before the migration and after each step.
fn one_route(plan: &Plan, route: &PlannedRoute) -> String {
    let mut lines = vec![format!("~ {}", route.named()), format!("    now      {}", describe(&route.baseline))];
    let new = plan.group_of(&route.old).and_then(new_group);
    for step in steps(plan) {
        let label = plan.step(step).map_or_else(|| "attach".to_owned(), |step| step.weight.to_string());
        let after = new.as_ref().and_then(|new| at_step(route, new, step).ok());
        let after = after.map_or_else(|| "cannot be shown".to_owned(), |actions| describe(&actions));
        let approval = plan.step(step).is_some_and(|step| step.approve);
        lines.push(format!("    {label:<8} {after}{}", if approval { "   (then an approval)" } else { "" }));
    }
    lines.join("\n")
}

fn findings(plan: &Plan) -> String {
    if plan.findings.is_empty() {
        return "Findings: none".to_owned();
    }
    let one = |finding: &crossfade_domain::plan::Finding| {
        let severity = match finding.severity {
            Severity::Refusal => "refusal",
            Severity::Warning => "warning",
        };
        format!("  {severity} {}: {}", finding.headline(), finding.message)
    };
    format!("Findings\n{}", plan.findings.iter().map(one).collect::<Vec<_>>().join("\n"))
}

/// What Terraform needs so that it does not write the old weights back. It leaves no tag, so it may own every route
/// whose owner nobody can see.
fn for_terraform(plan: &Plan) -> Option<String> {
    let unowned = plan.routes.iter().filter(|route| route.owner.is_none());
    let lines: Vec<String> = unowned
        .map(|route| {
            let argument = match route.id {
                RouteId::Rule(_) => "action",
                RouteId::Default(_) => "default_action",
            };
            format!("  {}\n    lifecycle {{ ignore_changes = [{argument}] }}", route.named())
        })
        .collect();
    let headline = "Before the start, if Terraform owns a route: add this to its resource, and apply it";
    (!lines.is_empty()).then(|| format!("{headline}\n{}", lines.join("\n")))
}

fn estimates(plan: &Plan, estimate: &Estimate) -> String {
    let mut lines = vec![
        "Estimate".to_owned(),
        format!(
            "  duration        {} of bakes, plus the time until the new targets are healthy",
            duration(estimate.bake_seconds)
        ),
        format!(
            "  API calls       {} to routes ({} at a shift), {} of the gates",
            counted(estimate.route_writes as usize, "write"),
            plan.routes.len(),
            counted(estimate.checks as usize, "check")
        ),
        format!("  cost            {:.3} USD, {} state transitions", estimate.usd, estimate.transitions),
    ];
    lines.push(match (&estimate.requests_per_second, &estimate.harmed_at_step) {
        (Some(rate), Some(_)) => format!(
            "  worst case      {rate:.1} requests a second now; if the new cluster failed every one, until {} s later:",
            estimate.seconds_to_safe
        ),
        _ => "  worst case      unknown: the traffic of the last hour could not be read".to_owned(),
    });
    for (step, harmed) in plan.policy.schedule.steps.iter().zip(estimate.harmed_at_step.iter().flatten()) {
        lines.push(format!("    at {:<8}   {harmed} harmed", step.weight.to_string()));
    }
    lines.join("\n")
}

fn duration(seconds: u64) -> String {
    written_duration(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ if thing.ends_with('s') => format!("{number} {thing}es"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_is_told_what_to_leave_alone_on_each_route_whose_owner_is_unknown() {
        let stored = include_str!("../../../../../tests/compatibility/plan.json");
        let mut plan: Plan = serde_json::from_str(stored).unwrap();
        let shown = for_terraform(&plan).unwrap();
        for route in &plan.routes {
            assert!(shown.contains(&route.named()), "{shown}");
        }
        assert_eq!(shown.matches("ignore_changes = [").count(), plan.routes.len(), "{shown}");
        plan.routes.iter_mut().for_each(|route| route.owner = Some("stack routing".to_owned()));
        assert_eq!(for_terraform(&plan), None);
    }

    #[test]
    fn the_ports_at_which_targets_are_registered_are_shown() {
        let target = |id: &str, port| Target { id: id.to_owned(), port };
        let ips = NewTargets::Ips(vec![target("10.0.0.1", None), target("10.0.0.2", Some(8080))]);
        assert_eq!(who_registers(&ips, 30001), "Crossfade registers 2 addresses at ports 8080, 30001");
        let instances = NewTargets::Instances(vec![target("i-1", Some(80))]);
        assert_eq!(who_registers(&instances, 80), "Crossfade registers 1 instance at port 80");
    }

    #[test]
    fn the_command_that_is_printed_does_what_was_planned() {
        let users = ServiceName::parse("users").unwrap();
        let with = |file: &str| to_start(&users, Some(Path::new(file)));
        assert_eq!(to_start(&users, None), "crossfade start users");
        assert_eq!(with("../policies/users.yaml"), "crossfade start users --policy ../policies/users.yaml");
        assert_eq!(with("Ana's users.yaml"), r"crossfade start users --policy 'Ana'\''s users.yaml'");
    }
}
