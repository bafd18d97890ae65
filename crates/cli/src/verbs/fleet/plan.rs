//! `crossfade fleet plan`: shows what a fleet's run would do. Changes nothing.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::{Foreseen, Limit, findings, foreseen};
use clap::Args;
use crossfade_actions::functions::check_fleet::requests_of_a_day;
use crossfade_actions::functions::plan_migration::plan_service;
use crossfade_domain::fleet::forecast::forecast;
use crossfade_domain::fleet::service_run::Size;
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::names::{LoadBalancerArn, ServiceName};
use crossfade_domain::plan::{Finding, FindingCode};
use crossfade_domain::planner::GROUPS_PER_LOAD_BALANCER;
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::windows::Calendars;
use futures::StreamExt as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Plans that are made at a time.
const PLANS_AT_A_TIME: usize = 4;
/// After so many plans, a message says how far it is.
const PLANS_OF_A_MESSAGE: usize = 10;

/// Show what a fleet's run would do. Changes nothing.
///
/// Plans every service, and prints the waves with their times if nothing fails,
/// how many failures stop the fleet, how close each limit is, the cost, the
/// requests harmed in the worst case, and the findings of all services.
///
/// Examples:
///   crossfade fleet plan eks-2026
///   crossfade fleet plan --policy policy.yaml    a policy that is not stored
///   crossfade fleet plan eks-2026 --output json | jq .findings
///
/// Exit codes: 0 every service can start; 2 one would be refused, or the policy is
/// wrong; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PlanArguments {
    /// The fleet; may be left out where only one policy is stored.
    #[arg(conflicts_with = "policy")]
    fleet: Option<String>,
    /// Use this policy, in YAML or JSON, instead of a stored one.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

impl PlanArguments {
    /// Reads the policy file, if there is one.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(super) fn given(&self) -> Result<Option<FleetPolicy>, Failure> {
        let Some(file) = &self.policy else { return Ok(None) };
        policy_file::decode(file, &policy_file::read(file)?).map(Some)
    }
}

pub(super) async fn run(
    arguments: &PlanArguments,
    given: Option<FleetPolicy>,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let policy = if let Some(policy) = given {
        policy
    } else {
        let fleet = session.fleet(arguments.fleet.as_deref()).await?;
        if let Some(problem) = fleet.problem {
            return Err(Failure::bad_input(problem));
        }
        fleet.policy
    };
    let answers = answers(session, &policy, console).await?;
    let sizes = sizes(&answers);
    console.say("reading the requests of the last day, and the room on the load balancers");
    let requests = requests_of_a_day(&session.ports, &policy).await.map_err(|error| session.failed(&error))?;
    let now = session.now();
    let forecast = forecast(&policy, &sizes, &requests, now, |at| opens(&policy, at));
    let foreseen = Foreseen {
        limits: limits(session, &sizes).await?,
        refused: names(&answers, |cursor| refusal(cursor) == Some(Refusal::Refused)),
        under_way: names(&answers, |cursor| refusal(cursor) == Some(Refusal::LockHeld)),
        migrated: names(&answers, |cursor| cursor.verdict == NextStep::Migrated),
        findings: findings(answers.iter().map(|(service, cursor)| (service, of_other_fleets(&policy, cursor)))),
        policy,
        forecast,
        now,
    };
    let code = if foreseen.refused.is_empty() { ExitCode::Done } else { ExitCode::BadInput };
    match console.output {
        Output::Json => console.json(&foreseen.object(code))?,
        Output::Human | Output::Github => console.data(&self::foreseen(&foreseen, console.columns))?,
    }
    Ok(code)
}

/// The dry-run plan of every service, a few at a time, in the order of the policy.
async fn answers(
    session: &Session,
    policy: &FleetPolicy,
    console: &mut Console<'_>,
) -> Result<Vec<(ServiceName, Cursor)>, Failure> {
    let count = policy.services.len();
    console.say(&format!("planning {count} services of {}, {PLANS_AT_A_TIME} at a time", policy.fleet));
    let ports = &session.ports.sharing_reads();
    let one = |service: &ServicePolicy| {
        let request = PlanRequest { policy: Some(service.clone()), ..PlanRequest::dry_run(&service.name) };
        async move { (request.service.clone(), plan_service(ports, &request, "crossfade fleet plan").await) }
    };
    let mut plans = futures::stream::iter(policy.services.iter().map(one)).buffered(PLANS_AT_A_TIME);
    let mut answers = Vec::with_capacity(count);
    while let Some((service, answer)) = plans.next().await {
        answers.push((service, answer.map_err(|error| session.failed(&error))?));
        if answers.len() % PLANS_OF_A_MESSAGE == 0 && answers.len() < count {
            console.say(&format!("planned {} of {count}", answers.len()));
        }
    }
    Ok(answers)
}

fn refusal(cursor: &Cursor) -> Option<Refusal> {
    match cursor.verdict {
        NextStep::Planned | NextStep::Migrated => None,
        _ => Some(cursor.error.unwrap_or(Refusal::Refused)),
    }
}

fn names(answers: &[(ServiceName, Cursor)], counts: impl Fn(&Cursor) -> bool) -> Vec<(ServiceName, String)> {
    let counted = answers.iter().filter(|(_, cursor)| counts(cursor));
    counted.map(|(service, cursor)| (service.clone(), cursor.reason.clone())).collect()
}

fn sizes(answers: &[(ServiceName, Cursor)]) -> BTreeMap<ServiceName, Size> {
    let one = |(service, cursor): &(ServiceName, Cursor)| {
        let plan = cursor.plan.as_ref()?;
        let routes = plan.routes.iter().map(|route| &route.id);
        Some((service.clone(), Size::of(routes, plan.groups.iter().map(|group| &group.load_balancer))))
    };
    answers.iter().filter_map(one).collect()
}

/// Findings without those about the order that the run itself keeps.
fn of_other_fleets<'a>(policy: &FleetPolicy, cursor: &'a Cursor) -> Vec<&'a Finding> {
    let of_plan = cursor.plan.iter().flat_map(|plan| &plan.findings);
    let own = |subject: &str| policy.services.iter().any(|service| subject.contains(service.name.as_str()));
    let mut found: Vec<&Finding> = Vec::new();
    for finding in cursor.findings.iter().chain(of_plan) {
        let kept_by_the_run = finding.code == FindingCode::AfterNotMigrated && own(&finding.subject);
        if !kept_by_the_run && !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

/// The first time from `at` on at which a service may start, where all have the same windows.
fn opens(policy: &FleetPolicy, at: Timestamp) -> Timestamp {
    let Some(first) = policy.services.first() else { return at };
    let alike = policy.services.iter().all(|service| service.windows == first.windows);
    let bake = first.schedule.steps.first().map_or(0, |step| step.bake_seconds);
    let windows = first.windows.as_ref().filter(|_| alike);
    windows.and_then(|windows| windows.next_fit(&Calendars::default(), at, bake)).unwrap_or(at)
}

/// How many target groups each load balancer has, and how many more the run makes.
async fn limits(session: &Session, sizes: &BTreeMap<ServiceName, Size>) -> Result<Vec<Limit>, Failure> {
    let mut new: BTreeMap<&LoadBalancerArn, u32> = BTreeMap::new();
    for (balancer, groups) in sizes.values().flat_map(|size| &size.groups) {
        *new.entry(balancer).or_default() += groups;
    }
    let mut limits = Vec::new();
    for (balancer, new) in new {
        let used = session.ports.target_groups.target_groups_of(balancer).await;
        let used = used.map_err(|error| session.port_failed(&format!("reading {}", balancer.name()), &error))?;
        limits.push(Limit {
            load_balancer: balancer.name().to_owned(),
            used: used.len(),
            new,
            most: GROUPS_PER_LOAD_BALANCER,
        });
    }
    Ok(limits)
}
