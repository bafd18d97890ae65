//! What a run would do, for people and for programs.

use super::some_of;
use crate::exit_code::ExitCode;
use crate::view::parts::lines::filled;
use crossfade_domain::fleet::forecast::{Forecast, ForecastRetirement, ForecastWave, Relief};
use crossfade_domain::journal::wording::counted;
use crossfade_domain::load_balancer::room::{Added, RESERVED_GROUPS, RESERVED_TARGETS, Room, Use};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Finding, FindingCode, Severity, subject_in_words};
use crossfade_domain::policy::document::written_duration;
use crossfade_domain::policy::rollout::RetireWhen;
use crossfade_domain::policy::service_policy::FleetPolicy;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A run that has not begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// The policy.
    pub policy: FleetPolicy,
    /// When it was asked for.
    pub now: Timestamp,
    /// What happens if nothing fails.
    pub forecast: Forecast,
    /// The room on each load balancer.
    pub limits: Vec<Limit>,
    /// When the old sides of each wave are retired; none by hand.
    pub retirements: Vec<ForecastRetirement>,
    /// Services whose start would be refused, and why.
    pub refused: Vec<(ServiceName, String)>,
    /// Services that are moving already, and where each is: `at 25 %`.
    pub under_way: Vec<(ServiceName, String)>,
    /// Services that have migrated.
    pub migrated: Vec<(ServiceName, String)>,
    /// The findings of all services.
    pub findings: Vec<Found>,
}

/// A load balancer, and what the run adds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name.
    pub load_balancer: String,
    /// How close it is to its limits now.
    pub room: Room,
    /// The target groups that the run makes, and the targets that they get, as far as the policy says.
    pub added: Added,
    /// What its limits mean for the run, with the retirements that make room meanwhile.
    pub relief: Relief,
}

impl Limit {
    /// `load balancer public: 50 target groups now, 50 more, of 100; FULL: ...`, and the same for targets and rules.
    fn lines(&self) -> Vec<String> {
        let Self { load_balancer, room, added, relief } = self;
        let line = |what: &str, limit: Use, more: u32, reserved: u32, then: &str| {
            let Use { used, most } = limit;
            let full = match relief {
                _ if limit.fits(more, reserved) => String::new(),
                Relief::Fits => "; enough, with the old sides that are retired meanwhile".to_owned(),
                Relief::Waits { wave, until } => format!(
                    "; {reserved} stay free for others, so wave {} waits until old sides of services before it are \
                     detached, {} at the earliest, and what comes after it is as much later",
                    wave + 1,
                    until.strftime("%a %Y-%m-%d %H:%M UTC")
                ),
                Relief::Full { wave } => format!(
                    "; FULL: {reserved} stay free for others, so services wait from wave {} on: {then}",
                    wave + 1
                ),
            };
            let now = counted(used, what);
            format!("load balancer {load_balancer}: {now} now, {more} more, of {most}{full}")
        };
        let groups = "retire services that have migrated (crossfade fleet retire, or rollout.retire: afterWave), or \
                      skip services";
        let targets = "retire services that have migrated, ask AWS for a higher quota (Targets per Application Load \
                       Balancer), or skip services";
        let mut lines = vec![line("target group", room.groups, added.groups, RESERVED_GROUPS, groups)];
        lines.extend(room.targets.map(|used| line("target", used, added.targets, RESERVED_TARGETS, targets)));
        if room.targets.is_none() {
            lines.push(format!("load balancer {load_balancer}: its targets cannot be counted; {} more", added.targets));
        }
        lines.extend(room.rules.map(|rules| line("rule", rules, 0, 0, "ask AWS for a higher quota")));
        lines
    }
}

/// What was found, with all services that it was found for.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The rule.
    pub code: FindingCode,
    /// Whether it refuses a start.
    pub refuses: bool,
    /// The services, each with its subject and message.
    pub services: Vec<(ServiceName, String, String)>,
}

/// Groups the findings of all services by their codes; those that refuse come first, then those of most services.
pub fn findings<'a>(all: impl IntoIterator<Item = (&'a ServiceName, Vec<&'a Finding>)>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (service, finding) in all.into_iter().flat_map(|(service, all)| all.into_iter().map(move |it| (service, it))) {
        let refuses = finding.severity == Severity::Refusal;
        let one = (service.clone(), finding.subject.clone(), finding.message.clone());
        match found.iter_mut().find(|found| found.code == finding.code && found.refuses == refuses) {
            Some(found) => found.services.push(one),
            None => found.push(Found { code: finding.code, refuses, services: vec![one] }),
        }
    }
    found.sort_by_key(|found| (!found.refuses, std::cmp::Reverse(found.services.len())));
    found
}

/// Renders it in lines of at most this many columns.
pub fn foreseen(foreseen: &Foreseen, columns: usize) -> String {
    let Foreseen { policy, forecast, .. } = foreseen;
    let fleet = &policy.fleet;
    let takes = forecast.end.duration_since(foreseen.now).as_secs();
    let takes = written_duration(u32::try_from(takes.max(0)).unwrap_or(u32::MAX));
    let services = policy.services.len();
    let left: usize = forecast.waves.iter().map(|wave| wave.services.len()).sum();
    let to_move = if left == services { String::new() } else { format!(", {left} left to move,") };
    let head = format!(
        "{fleet}: {}{to_move} in {}; {takes} if nothing fails, until {}",
        counted(services, "service"),
        counted(forecast.waves.len(), "wave"),
        forecast.end.strftime("%a %Y-%m-%d %H:%M UTC")
    );
    let mut lines = filled(&head, "", "  ", columns);
    lines.extend(filled(&forecast.budget, "  ", "    ", columns));
    lines.extend(filled(&forecast.exposure, "  ", "    ", columns));
    lines.push("WAVES".to_owned());
    lines.extend(forecast.waves.iter().enumerate().flat_map(|(place, wave)| one_wave(place, wave, columns)));
    let migrated = foreseen.migrated.iter().map(|(name, _)| name.to_string()).collect();
    let under_way = foreseen.under_way.iter().map(|(name, place)| format!("{name} {place}")).collect();
    for (words, services) in [("migrated already", migrated), ("moving already", under_way)] {
        let services: Vec<String> = services;
        let names: Vec<&str> = services.iter().map(String::as_str).collect();
        if !names.is_empty() {
            lines.extend(filled(&format!("{words}: {}", some_of(&names)), "  ", "    ", columns));
        }
    }
    lines.push("OLD SIDES".to_owned());
    lines.extend(old_sides(foreseen).iter().flat_map(|line| filled(line, "  ", "    ", columns)));
    lines.push("LIMITS".to_owned());
    lines.extend(limits(foreseen).iter().flat_map(|limit| filled(limit, "  ", "    ", columns)));
    lines.push("ESTIMATE".to_owned());
    lines.extend(estimates(forecast).iter().flat_map(|estimate| filled(estimate, "  ", "    ", columns)));
    lines.push("FINDINGS".to_owned());
    lines.extend(all_findings(foreseen, columns));
    let last = match foreseen.refused.len() {
        0 if !foreseen.under_way.is_empty() => {
            format!("Nothing was changed. To follow what moves: crossfade fleet watch {fleet}")
        }
        0 => format!("Nothing was changed. To start: crossfade fleet start {fleet}"),
        1 => "Nothing was changed. The start of 1 service would be refused.".to_owned(),
        more => format!("Nothing was changed. The starts of {more} services would be refused."),
    };
    lines.extend(filled(&last, "", "  ", columns));
    lines.join("\n")
}

fn one_wave(place: usize, wave: &ForecastWave, columns: usize) -> Vec<String> {
    let canary = if wave.number == 0 { " (canary)" } else { "" };
    let names: Vec<&str> = wave.services.iter().map(ServiceName::as_str).collect();
    let text = format!(
        "wave {}{canary}, {} to {}: {}",
        place + 1,
        wave.begin.strftime("%a %H:%M"),
        wave.end.strftime("%a %H:%M"),
        names.join(", ")
    );
    filled(&text, "  ", "    ", columns)
}

/// Which wave waits for old sides of services before it, and until when at the earliest; for ever without a time.
fn waits(relief: Relief) -> Value {
    match relief {
        Relief::Fits => Value::Null,
        Relief::Waits { wave, until } => json!({"wave": wave + 1, "until": until}),
        Relief::Full { wave } => json!({"wave": wave + 1, "until": null}),
    }
}

/// When the old sides go.
fn old_sides(foreseen: &Foreseen) -> Vec<String> {
    let fleet = &foreseen.policy.fleet;
    if foreseen.policy.rollout.retire == RetireWhen::ByHand {
        return vec![format!("retired by hand, once services have migrated: crossfade fleet retire {fleet}")];
    }
    let at = |time: Timestamp| time.strftime("%a %Y-%m-%d %H:%M UTC").to_string();
    let one = |(place, wave): (usize, &ForecastRetirement)| {
        let leave = wave.leave.map_or_else(
            || "and nothing is detached: retire.until is idle".to_owned(),
            |leave| format!("detached from {} on", at(leave)),
        );
        format!("wave {}: retired from {} on, {leave}", place + 1, at(wave.begin))
    };
    foreseen.retirements.iter().enumerate().map(one).collect()
}

fn limits(foreseen: &Foreseen) -> Vec<String> {
    let forecast = &foreseen.forecast;
    let mut lines: Vec<String> = foreseen.limits.iter().flat_map(Limit::lines).collect();
    lines.push(format!(
        "routes that move at once: {} of {}; AWS takes {} s to return them",
        forecast.most_routes,
        foreseen.policy.rollout.most_routes(),
        forecast.rollback_seconds
    ));
    lines.extend(forecast.problems.iter().map(|problem| format!("CANNOT BE MET: {problem}")));
    lines
}

fn estimates(forecast: &Forecast) -> Vec<String> {
    let cents = forecast.micro_usd.div_ceil(10_000);
    vec![
        format!("cost: {}.{:02} USD for the state machines", cents / 100, cents % 100),
        format!(
            "worst case: {} requests harmed, if all services that begin at once fail from their first step on",
            forecast.most_harmed
        ),
    ]
}

fn all_findings(foreseen: &Foreseen, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for Found { code, refuses, services } in &foreseen.findings {
        let severity = if *refuses { "REFUSED" } else { "warning" };
        let (first, subject, message) = &services[0];
        let mut names: Vec<&str> = services.iter().map(|(name, _, _)| name.as_str()).collect();
        names.dedup();
        let others = if names.len() > 1 { " (the first of them)" } else { "" };
        let text = format!("{severity} {code}: {}", some_of(&names));
        lines.extend(filled(&text, "  ", "    ", columns));
        let about = subject_in_words(subject).map_or_else(String::new, |about| format!("{about}: "));
        lines.extend(filled(&format!("{first}{others}: {about}{message}"), "      ", "      ", columns));
    }
    // A start may be refused for a reason that is no finding, such as a halted migration.
    for (service, why) in &foreseen.refused {
        let has_finding = foreseen
            .findings
            .iter()
            .any(|found| found.refuses && found.services.iter().any(|(name, _, _)| name == service));
        if !has_finding {
            lines.extend(filled(&format!("REFUSED {service}: {why}"), "  ", "    ", columns));
        }
    }
    if lines.is_empty() {
        lines.push("  none".to_owned());
    }
    lines
}

impl Foreseen {
    /// Everything, for programs.
    pub fn object(&self, code: ExitCode) -> Value {
        let forecast = &self.forecast;
        let list = |services: &[(ServiceName, String)]| {
            services.iter().map(|(name, why)| json!({"service": name, "reason": why})).collect::<Vec<_>>()
        };
        let waves: Vec<Value> = forecast
            .waves
            .iter()
            .enumerate()
            .map(|(place, wave)| {
                json!({
                    "wave": place + 1, "canary": wave.number == 0, "services": wave.services, "begin": wave.begin,
                    "end": wave.end,
                })
            })
            .collect();
        let limits: Vec<Value> = self
            .limits
            .iter()
            .map(|limit| {
                json!({
                    "loadBalancer": limit.load_balancer, "targetGroups": limit.room.groups.used,
                    "new": limit.added.groups, "most": limit.room.groups.most, "targets": limit.room.targets,
                    "newTargets": limit.added.targets, "waits": waits(limit.relief), "rules": limit.room.rules,
                })
            })
            .collect();
        let findings: Vec<Value> = self
            .findings
            .iter()
            .flat_map(|found| {
                found.services.iter().map(|(service, subject, message)| {
                    json!({
                        "service": service, "code": found.code, "refuses": found.refuses, "subject": subject,
                        "message": message,
                    })
                })
            })
            .collect();
        let retirements: Vec<Value> =
            self.retirements.iter().map(|wave| json!({"begin": wave.begin, "detachedFrom": wave.leave})).collect();
        json!({
            "version": 1,
            "fleet": self.policy.fleet,
            "services": self.policy.services.len(),
            "waves": waves,
            "end": forecast.end,
            "budget": forecast.budget,
            "exposure": forecast.exposure,
            "problems": forecast.problems,
            "retire": self.policy.rollout.retire,
            "retirements": retirements,
            "loadBalancers": limits,
            "mostRoutes": forecast.most_routes,
            "secondsToReturnThem": forecast.rollback_seconds,
            "microUsd": forecast.micro_usd,
            "mostHarmed": forecast.most_harmed,
            "refused": list(&self.refused),
            "underWay": list(&self.under_way),
            "migrated": list(&self.migrated),
            "findings": findings,
            "exitCode": code,
        })
    }
}
