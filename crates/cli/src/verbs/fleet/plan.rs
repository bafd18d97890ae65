//! `crossfade fleet plan`: shows what a fleet's run would do. Changes nothing.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::policy_file;
use crate::stack::reading::weight_at;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::{Foreseen, Limit, findings, foreseen};
use clap::Args;
use crossfade_actions::functions::check_fleet::{requests_of_a_day, rooms};
use crossfade_actions::functions::plan_migration::plan_service;
use crossfade_actions::operator::observe::{calendars, plan_in_force};
use crossfade_actions::ports::Ports;
use crossfade_domain::fleet::forecast::{
    Forecast, Progress, forecast, forecast_retirements, opens, relief, seconds_left,
};
use crossfade_domain::fleet::retiring::held;
use crossfade_domain::fleet::service_run::Size;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::room::{Added, Room};
use crossfade_domain::names::{LoadBalancerArn, ServiceName};
use crossfade_domain::plan::{Finding, FindingCode};
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::{FleetPolicy, ServicePolicy};
use crossfade_domain::windows::{Calendars, Opening, Windows};
use futures::StreamExt as _;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
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
    let under_way = under_way(session, &policy).await?;
    let ports = session.ports.sharing_reads();
    let answers = answers(session, &ports, &policy, &under_way, console).await?;
    let sizes = sizes(&answers);
    console.say("reading the requests of the last day, and the room on the load balancers");
    let requests = requests_of_a_day(&session.ports, &policy).await.map_err(|error| session.failed(&error))?;
    let windows = || policy.services.iter().filter_map(|service| service.windows.as_ref());
    let calendars = calendars(&session.ports, windows()).await;
    let now = session.now();
    if let Some(why) = windows().find_map(|windows| closed_without_end(windows, &calendars, now)) {
        console.say(&format!("window: {why}; the times below are as if it opened now"));
    }
    let migrated = names(&answers, |cursor| cursor.verdict == NextStep::Migrated);
    let progress = Progress {
        done: migrated.iter().map(|(name, _)| name.clone()).chain(going_back(&under_way)).collect(),
        moving: under_way.iter().filter_map(|one| Some((one.service.clone(), one.seconds_left?))).collect(),
    };
    // The groups of what moves exist already.
    let with_moving =
        under_way.iter().map(|one| (one.service.clone(), one.size.clone())).chain(sizes.clone()).collect();
    let forecast = forecast(&policy, &with_moving, &requests, &progress, now, |at| opens(&policy, &calendars, at));
    let foreseen = Foreseen {
        limits: limits(session, &ports, &policy, &answers, &forecast).await?,
        retirements: forecast_retirements(&policy, &forecast.waves, forecast.end),
        refused: names(&answers, is_refused),
        under_way: under_way.into_iter().map(|one| (one.service, one.words)).collect(),
        migrated,
        findings: findings(answers.iter().map(|(service, cursor)| (service, of_other_fleets(&policy, cursor)))),
        policy,
        forecast,
        now,
    };
    let code = if foreseen.refused.is_empty() { ExitCode::Done } else { ExitCode::BadInput };
    match console.output {
        Output::Json => console.json(&foreseen.object(code))?,
        Output::Human | Output::Github => console.data(&self::foreseen(&foreseen, console.page.columns))?,
    }
    Ok(code)
}

/// A service whose migration is under way.
struct UnderWay {
    service: ServiceName,
    /// Where it is, after its name.
    words: String,
    /// Its routes; its target groups are there already.
    size: Size,
    /// Seconds until it has migrated; none where it goes back.
    seconds_left: Option<u32>,
}

/// The services whose migration is under way. A plan of one would only find that migration in its way.
async fn under_way(session: &Session, policy: &FleetPolicy) -> Result<Vec<UnderWay>, Failure> {
    let names: Vec<ServiceName> = policy.services.iter().map(|service| service.name.clone()).collect();
    let heads = session.ports.ledger.heads(&names).await;
    let heads = heads.map_err(|source| session.ledger_failed("reading the heads of the fleet's services", source))?;
    let mut found = Vec::new();
    for head in heads.into_iter().filter(|head| !head.phase.is_over() && head.phase != Phase::Halted) {
        let plan = plan_in_force(&session.ports, &head).await.map_err(|error| session.failed(&error))?;
        let returns = head.phase.is_returning();
        let weight = weight_at(&plan, head.verified_step);
        found.push(UnderWay {
            words: if returns { "going back".to_owned() } else { format!("at {weight}") },
            size: Size { groups: BTreeMap::new(), ..Size::of(&plan) },
            seconds_left: (!returns).then(|| seconds_left(&plan.policy.schedule, &head, session.now())),
            service: head.service,
        });
    }
    Ok(found)
}

fn going_back(under_way: &[UnderWay]) -> impl Iterator<Item = ServiceName> {
    under_way.iter().filter(|one| one.seconds_left.is_none()).map(|one| one.service.clone())
}

/// The dry-run plan of every service that is not under way, a few at a time, in the order of the policy.
async fn answers(
    session: &Session,
    ports: &Ports,
    policy: &FleetPolicy,
    under_way: &[UnderWay],
    console: &mut Console<'_>,
) -> Result<Vec<(ServiceName, Cursor)>, Failure> {
    let planned = |service: &&ServicePolicy| !under_way.iter().any(|one| one.service == service.name);
    let services: Vec<&ServicePolicy> = policy.services.iter().filter(planned).collect();
    let count = services.len();
    console.say(&format!("planning {count} services of {}, {PLANS_AT_A_TIME} at a time", policy.fleet));
    let one = |service: &ServicePolicy| {
        let request = PlanRequest { policy: Some(service.clone()), ..PlanRequest::dry_run(&service.name) };
        async move { (request.service.clone(), plan_service(ports, &request, "crossfade fleet plan").await) }
    };
    let mut plans = futures::stream::iter(services.into_iter().map(one)).buffered(PLANS_AT_A_TIME);
    let mut answers = Vec::with_capacity(count);
    while let Some((service, answer)) = plans.next().await {
        answers.push((service, answer.map_err(|error| session.failed(&error))?));
        if answers.len() % PLANS_OF_A_MESSAGE == 0 && answers.len() < count {
            console.say(&format!("planned {} of {count}", answers.len()));
        }
    }
    Ok(answers)
}

fn is_refused(cursor: &Cursor) -> bool {
    !matches!(cursor.verdict, NextStep::Planned | NextStep::Migrated)
}

fn names(answers: &[(ServiceName, Cursor)], counts: fn(&Cursor) -> bool) -> Vec<(ServiceName, String)> {
    let counted = answers.iter().filter(|(_, cursor)| counts(cursor));
    counted.map(|(service, cursor)| (service.clone(), cursor.reason.clone())).collect()
}

fn sizes(answers: &[(ServiceName, Cursor)]) -> BTreeMap<ServiceName, Size> {
    let one = |(service, cursor): &(ServiceName, Cursor)| {
        let plan = cursor.plan.as_ref()?;
        Some((service.clone(), Size::of(plan)))
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

/// Why a window is closed whose opening is not known.
fn closed_without_end(windows: &Windows, calendars: &Calendars, now: Timestamp) -> Option<String> {
    match windows.opening(calendars, now) {
        Opening::Closed { until: None, why } => Some(why),
        _ => None,
    }
}

/// How close each load balancer is to its limits, what the run adds, and what retirements take off it meanwhile.
async fn limits(
    session: &Session,
    ports: &Ports,
    policy: &FleetPolicy,
    answers: &[(ServiceName, Cursor)],
    forecast: &Forecast,
) -> Result<Vec<Limit>, Failure> {
    let sizes = &sizes(answers);
    let balancers: BTreeSet<LoadBalancerArn> = sizes.values().flat_map(|size| size.groups.keys().cloned()).collect();
    let (rooms, in_use) = rooms(ports, &balancers).await.map_err(|error| session.failed(&error))?;
    let names: Vec<ServiceName> = policy.services.iter().map(|service| service.name.clone()).collect();
    let heads = session.ports.ledger.heads(&names).await;
    let heads = heads.map_err(|source| session.ledger_failed("reading the heads of the fleet's services", source))?;
    let heads: Vec<Head> = heads.into_iter().filter(|head| head.phase == Phase::Migrated).collect();
    let migrated: BTreeMap<ServiceName, Timestamp> =
        heads.iter().map(|head| (head.service.clone(), head.at_rest_since())).collect();
    let relief_of = |balancer: &LoadBalancerArn, room: Room| {
        let in_use = in_use.get(balancer).cloned().unwrap_or_default();
        let of_plan = |(service, cursor): &(ServiceName, Cursor)| {
            let old = cursor.plan.iter().flat_map(|plan| &plan.groups).filter_map(|group| in_use.get(&group.old));
            (service.clone(), old.map(|targets| Added { groups: 1, targets: *targets }).sum())
        };
        let mut old_sides: BTreeMap<ServiceName, Added> = answers.iter().map(of_plan).collect();
        old_sides.extend(heads.iter().map(|head| (head.service.clone(), held(head, &in_use))));
        old_sides.retain(|_, held| *held != Added::default());
        relief(policy, &forecast.waves, sizes, (balancer, room), &old_sides, &migrated)
    };
    let limit = |(balancer, room): (LoadBalancerArn, Room)| Limit {
        load_balancer: balancer.name().to_owned(),
        room,
        relief: relief_of(&balancer, room),
        added: sizes.values().map(|size| size.on(&balancer)).sum(),
    };
    Ok(rooms.into_iter().map(limit).collect())
}
