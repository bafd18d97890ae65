//! What a large fleet takes, in virtual time: how long it moves, next to the least that any conductor could need, what
//! its conductor reads, and how fast all that moves goes back. The figures are equal on every machine and in every run.

use super::stage::{FLEET, FleetStage, service};
use crate::rehearse::price;
use crate::repository::{read, root};
use crate::simulation::Visit;
use crate::stories::stage::Stage;
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::Phase;
use crossfade_world::elbv2::Throttle;
use crossfade_world::states::Status;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A fleet that is measured.
#[derive(Clone, Copy)]
struct Case {
    services: usize,
    /// The services that move at once, as `rollbackWithin` allows.
    at_once: usize,
    rollback_within: &'static str,
}

/// 10 s allow 50 routes.
const LARGE: Case = Case { services: 200, at_once: 25, rollback_within: "10s" };
/// 30 s allow 110 routes.
const LARGEST: Case = Case { services: 1_000, at_once: 55, rollback_within: "30s" };
/// The routes of each service.
const ROUTES: usize = 2;
/// Services on each load balancer: as many groups of the old and of the new cluster, of which AWS takes 100.
const ON_A_BALANCER: usize = 40;
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
fn least(case: Case, alone: SignedDuration, bake: SignedDuration) -> SignedDuration {
    alone * i32::try_from(case.services.div_ceil(case.at_once)).unwrap() + bake
}

/// How many calls the visits made of these verbs, and the most of one visit. The heads of all services take a call for
/// each hundred.
fn verbs(case: Case, visits: &[&Visit], wanted: &[&str]) -> (usize, usize) {
    let calls = |call: &&str| if *call == "heads" { case.services.div_ceil(100) } else { 1 };
    let count = |visit: &&Visit| visit.calls.iter().filter(|call| wanted.contains(call)).map(calls).sum::<usize>();
    (visits.iter().map(count).sum(), visits.iter().map(count).max().unwrap_or(0))
}

/// What the head and the journal of a run are in the table.
struct Stored {
    /// The most kB that the head had.
    most_kilobytes: usize,
    /// Write units: two for each kB of both, since a transaction writes them.
    written: usize,
}

fn stored(entries: &[FleetEntry]) -> Stored {
    let kilobytes = |bytes: usize| bytes.div_ceil(1_000);
    let mut head = FleetHead::first(FLEET, None, "", entries[0].at);
    let mut stored = Stored { most_kilobytes: 0, written: 0 };
    for entry in entries {
        head = head.apply(entry);
        let of_head = kilobytes(serde_json::to_vec(&head).unwrap().len());
        stored.most_kilobytes = stored.most_kilobytes.max(of_head);
        stored.written += 2 * (of_head + kilobytes(serde_json::to_vec(entry).unwrap().len()));
    }
    stored
}

const TABLE: [&str; 9] =
    ["fleet", "fleets", "fleet_entries", "policies", "heads", "head", "open_heads", "plan", "events"];
const BALANCERS: [&str; 12] = [
    "limits",
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
fn moved(case: Case) -> Moved {
    let Case { services, at_once, rollback_within } = case;
    let bake = SignedDuration::from_mins(1);
    let rollout = json!({"concurrency": at_once, "rollbackWithin": rollback_within, "waveBake": "1m"});
    let mut fleet = fleet_of(services, &rollout, &schedule());
    let began = fleet.world.now();
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor), (Status::Succeeded, String::new()), "{}", fleet.fleet().reason.unwrap());
    let run = fleet.fleet();
    let failed = run.count(|state| state != ServiceState::Migrated);
    assert_eq!(failed, 0, "{}", fleet.states());
    assert_eq!(fleet.migrations(), services, "no service needed a second try");
    let items = fleet.ledger.snapshot();
    let journal = items.fleet_journals.values().next().unwrap();
    let ended = journal.last().unwrap().at;
    let (took, least) = (ended.duration_since(began), least(case, alone(), bake));

    let looks = fleet.visits("Check fleet");
    let (reads, most_reads) = verbs(case, &looks, &TABLE);
    let (describes, most_describes) = verbs(case, &looks, &BALANCERS);
    let newest = fleet.machines.with(|engine| engine.history(&conductor, true, 1, None).unwrap().elements.remove(0).id);
    let states = fleet.machines.with(|engine| engine.entered_states(&conductor)).len();
    let usd = states as f64 * price::TRANSITION + looks.len() as f64 * price::INVOCATION;
    let mut table = String::from("| a fleet | | beside it |\n| --- | ---: | ---: |\n");
    let mut row =
        |what: &str, value: String, beside: String| writeln!(table, "| {what} | {value} | {beside} |").unwrap();
    let minutes = |span: SignedDuration| format!("{:.0}", span.as_secs_f64() / 60.0);
    row("services with 2 routes each; at once", services.to_string(), at_once.to_string());
    row("minutes; the least that any conductor could need", minutes(took), minutes(least));
    row("migrations that failed", failed.to_string(), String::new());
    row("looks of the conductor", looks.len().to_string(), String::new());
    let mean = |sum: usize| format!("{:.1}", sum as f64 / looks.len() as f64);
    row("reads of the table by a look; the most", mean(reads), most_reads.to_string());
    row("reads of load balancers by a look; the most", mean(describes), most_describes.to_string());
    row("events in the history of the conductor; AWS's limit", newest.to_string(), "25000".to_owned());
    let Stored { most_kilobytes, written } = stored(journal);
    row("kB of the fleet's item at most; AWS's limit", most_kilobytes.to_string(), "400".to_owned());
    row("cost in USD of the conductor", format!("{usd:.4}"), String::new());
    // A read of 4 kB is a unit; each service's head has fewer.
    let read = looks.len() * (most_kilobytes.div_ceil(4) + services);
    let table_usd = written as f64 * price::TABLE_WRITE + read as f64 * price::TABLE_READ;
    row("cost in USD of its reads and writes of the table, at most", format!("{table_usd:.2}"), String::new());
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
    let Moved { took, least, mut table } = moved(LARGE);
    let (first, last) = aborted();
    let what = format!("seconds from an abort until the first of {} routes is back; until all are", ABORTED * ROUTES);
    writeln!(table, "| {what} | {first:.0} | {last:.0} |").unwrap();
    eprintln!("{table}");
    assert!(took.as_secs_f64() <= least.as_secs_f64() * GOAL, "{took:#}, and the least is {least:#}");
    assert!(last <= MOST_SECONDS_BACK, "{last} s");
    is_documented(&table);
}

#[test]
#[ignore = "a benchmark of minutes: just fleets"]
fn a_thousand_services_take_at_most_1_1_times_the_least() {
    let Moved { took, least, table } = moved(LARGEST);
    eprintln!("{table}");
    assert!(took.as_secs_f64() <= least.as_secs_f64() * GOAL, "{took:#}, and the least is {least:#}");
    is_documented(&table);
}

fn is_documented(table: &str) {
    let page = read(root().join("docs/internals/performance.md"));
    assert!(page.contains(table), "docs/internals/performance.md has other figures than these:\n{table}");
}
