//! What a large fleet takes, in virtual time: how long it moves, next to the least that any conductor could need, what
//! its conductor reads, and how fast all that moves goes back. The figures are equal on every machine and in every run.

use super::stage::{FLEET, FleetStage, service};
use crate::rehearse::price;
use crate::repository::{read, root};
use crate::simulation::Visit;
use crate::stories::stage::Stage;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::Phase;
use crossfade_world::elbv2::Throttle;
use crossfade_world::states::Status;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The services of the large fleet.
const SERVICES: usize = 200;
/// Their routes, each.
const ROUTES: usize = 2;
/// Services on each load balancer: as many groups of the old and of the new cluster, of which AWS takes 100.
const ON_A_BALANCER: usize = 40;
/// The services that move at once: `rollbackWithin: 10s` allows 50 routes.
const AT_ONCE: usize = 25;
/// The most that a fleet may take, of the least that any conductor could need.
const GOAL: f64 = 1.1;
/// The services in flight when the fleet is aborted.
const ABORTED: usize = 50;
const MOST_SECONDS_BACK: f64 = 30.0;

/// A fleet of so many services on load balancers of an account with AWS's request rates.
fn fleet_of(services: usize, rollout: &Value, schedule: &Value) -> FleetStage {
    let stage = Stage::through_the_sdk();
    let names: Vec<String> = (0..services).map(|number| format!("service-{number:04}")).collect();
    let policies: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let hosts: Vec<String> = (0..ROUTES).map(|route| format!("{route}.{name}.internal")).collect();
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let balancer = format!("internal-{}", number / ON_A_BALANCER);
            stage.world.add_service(&balancer, &format!("{name}-swarm"), &hosts);
            stage.world.add_alarm(&format!("{name}-5xx"));
            let mut policy = service(name, &[]);
            policy["schedule"] = schedule.clone();
            policy["slice"] = json!("2m");
            policy
        })
        .collect();
    stage.world.take_events();
    stage.world.with(|state| state.elbv2.set_throttle(Some(Throttle::of_aws(state.now))));
    let mut fleet = FleetStage { stage, policy: json!({"fleet": FLEET, "rollout": rollout, "services": policies}) };
    fleet.apply();
    fleet
}

/// Ten minutes at 5 % and ten at 100 %, with a check every two.
fn schedule() -> Value {
    json!([{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m"}])
}

/// How long one service takes that has the account to itself.
fn alone() -> SignedDuration {
    let mut fleet = fleet_of(1, &json!({}), &schedule());
    let began = fleet.world.now();
    fleet.start("alone", json!({"service": "service-0000"}));
    fleet.run();
    assert_eq!(fleet.phase("service-0000"), Some(Phase::Migrated), "{}", fleet.told());
    fleet.ended_at("service-0000").duration_since(began)
}

/// The least time in which any conductor could move the fleet: every place is taken all the time, each service takes
/// what it takes alone, and the wave is watched once.
fn least(alone: SignedDuration, bake: SignedDuration) -> SignedDuration {
    alone * i32::try_from(SERVICES.div_ceil(AT_ONCE)).unwrap() + bake
}

fn verbs(visits: &[&Visit], wanted: &[&str]) -> (usize, usize) {
    let counts = || visits.iter().map(|visit| visit.calls.iter().filter(|call| wanted.contains(call)).count());
    (counts().sum(), counts().max().unwrap_or(0))
}

const TABLE: [&str; 9] =
    ["fleet", "fleets", "fleet_entries", "policies", "heads", "head", "open_heads", "plan", "events"];
const BALANCERS: [&str; 11] = [
    "load_balancers",
    "listeners",
    "routes",
    "read_routes",
    "target_groups",
    "target_groups_of",
    "attributes",
    "health",
    "groups_of_service",
    "all_guarded_groups",
    "tags",
];

struct Moved {
    took: SignedDuration,
    least: SignedDuration,
    table: String,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn moved() -> Moved {
    let bake = SignedDuration::from_mins(1);
    let rollout = json!({"concurrency": AT_ONCE, "rollbackWithin": "10s", "waveBake": "1m"});
    let mut fleet = fleet_of(SERVICES, &rollout, &schedule());
    let began = fleet.world.now();
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor), (Status::Succeeded, String::new()), "{}", fleet.fleet().reason.unwrap());
    let run = fleet.fleet();
    let failed = run.count(|state| state != ServiceState::Migrated);
    assert_eq!(failed, 0, "{}", fleet.states());
    assert_eq!(fleet.migrations(), SERVICES, "no service needed a second try");
    let items = fleet.ledger.snapshot();
    let ended = items.fleet_journals.values().next().unwrap().last().unwrap().at;
    let (took, least) = (ended.duration_since(began), least(alone(), bake));

    let looks = fleet.visits("Check fleet");
    let (reads, most_reads) = verbs(&looks, &TABLE);
    let (describes, most_describes) = verbs(&looks, &BALANCERS);
    let newest = fleet.machines.with(|engine| engine.history(&conductor, true, 1, None).unwrap().elements.remove(0).id);
    let states = fleet.machines.with(|engine| engine.entered_states(&conductor)).len();
    let usd = states as f64 * price::TRANSITION + looks.len() as f64 * price::INVOCATION;
    let mut table = String::from("| a fleet | | beside it |\n| --- | ---: | ---: |\n");
    let mut row =
        |what: &str, value: String, beside: String| writeln!(table, "| {what} | {value} | {beside} |").unwrap();
    let minutes = |span: SignedDuration| format!("{:.0}", span.as_secs_f64() / 60.0);
    row("services with 2 routes each; at once", SERVICES.to_string(), AT_ONCE.to_string());
    row("minutes; the least that any conductor could need", minutes(took), minutes(least));
    row("migrations that failed", failed.to_string(), String::new());
    row("looks of the conductor", looks.len().to_string(), String::new());
    let mean = |sum: usize| format!("{:.1}", sum as f64 / looks.len() as f64);
    row("reads of the table by a look; the most", mean(reads), most_reads.to_string());
    row("reads of load balancers by a look; the most", mean(describes), most_describes.to_string());
    row("events in the history of the conductor; AWS's limit", newest.to_string(), "25000".to_owned());
    row("cost in USD of the conductor", format!("{usd:.4}"), String::new());
    Moved { took, least, table }
}

/// The seconds from the abort of a fleet until every route was seen back, of the first and of the last service.
fn aborted() -> (f64, f64) {
    let rollout = json!({"concurrency": ABORTED, "rollbackWithin": "30s", "waveBake": "1m"});
    let mut fleet = fleet_of(ABORTED, &rollout, &json!([{"weight": 5, "bake": "1h"}, {"weight": 100, "bake": "1h"}]));
    fleet.conduct();
    fleet.minutes(30);
    let at_5 = fleet.heads().iter().filter(|head| head.verified_step == Some(1)).count();
    assert_eq!(at_5, ABORTED, "{}", fleet.states());
    let began = fleet.world.now();
    let aborted = fleet.command("abort");
    fleet.run();
    assert_eq!(fleet.ended(&aborted), (Status::Failed, "Aborted".to_owned()), "{}", fleet.states());
    let returned = |name: usize| -> Timestamp {
        let name = format!("service-{name:04}");
        assert!(fleet.is_at_baseline(&name), "{name}");
        let head = fleet.head(&name);
        assert_eq!(head.phase, Phase::RolledBack, "{name}");
        head.rollback.unwrap().returned_at.unwrap()
    };
    let mut seconds: Vec<f64> = (0..ABORTED).map(|name| returned(name).duration_since(began).as_secs_f64()).collect();
    seconds.sort_unstable_by(f64::total_cmp);
    (seconds[0], *seconds.last().unwrap())
}

#[test]
fn a_large_fleet_takes_at_most_1_1_times_the_least_and_goes_back_within_30_seconds() {
    let Moved { took, least, mut table } = moved();
    let (first, last) = aborted();
    let what = format!("seconds from an abort until the first of {} routes is back; until all are", ABORTED * ROUTES);
    writeln!(table, "| {what} | {first:.0} | {last:.0} |").unwrap();
    eprintln!("{table}");
    assert!(took.as_secs_f64() <= least.as_secs_f64() * GOAL, "{took:#}, and the least is {least:#}");
    assert!(last <= MOST_SECONDS_BACK, "{last} s");
    let page = read(root().join("docs/performance.md"));
    assert!(page.contains(&table), "docs/performance.md has other figures than these:\n{table}");
}
