//! What a migration costs: calls of AWS and transitions, counted in a rehearsal, against the goals.

use super::crossfade;
use crate::repository::root;
use serde_json::Value;

/// Transitions of a default canary.
const MOST_TRANSITIONS: usize = 300;
/// A default canary in USD.
const HIGHEST_COST: f64 = 0.02;
/// The goal beside a write for each route: the routes before and after, and the health of the side that is to get more.
const GOAL_BESIDE_WRITES: u64 = 3;
/// What a shift takes: the health of the old side is asked for too, since it must be able to take everything back, and
/// the listeners and the rules of a load balancer with one listener are listed.
const MOST_BESIDE_WRITES: u64 = 6;

/// AWS's prices in eu-west-1, USD each.
pub(crate) mod price {
    pub(crate) const TRANSITION: f64 = 25e-6;
    pub(crate) const INVOCATION: f64 = 0.2e-6;
    /// A GB second on arm64.
    pub(crate) const MEMORY_SECOND: f64 = 13.3334e-6;
    /// A metric in a `GetMetricData`.
    pub(crate) const METRIC: f64 = 10e-6;
    /// A write unit, by request; a transaction takes two for each item.
    pub(crate) const TABLE_WRITE: f64 = 0.705e-6;
    /// A consistent read of 4 KB.
    pub(crate) const TABLE_READ: f64 = 0.141e-6;
}
/// Generous: an invocation waits for a few answers of AWS.
const SECONDS_OF_AN_INVOCATION: f64 = 0.5;
const GIGABYTES: f64 = 0.25;
/// Head, event, and what else a write of the journal takes.
const ITEMS_OF_A_TRANSACTION: f64 = 3.0;

/// Calls of a service's operations by one function, or by all.
fn calls(report: &Value, function: Option<&str>, service: &str) -> u64 {
    let callers = report["calls"].as_object().unwrap();
    callers
        .iter()
        .filter(|(caller, _)| caller.starts_with("crossfade-") && function.is_none_or(|name| caller.ends_with(name)))
        .flat_map(|(_, operations)| operations.as_object().unwrap())
        .filter(|(operation, _)| operation.starts_with(service) && !operation.ends_with(')'))
        .map(|(_, count)| count.as_u64().unwrap())
        .sum()
}

fn metrics_asked_for(report: &Value) -> u64 {
    let callers = report["calls"].as_object().unwrap().values();
    callers.filter_map(|operations| operations["monitoring:GetMetricData (metrics)"].as_u64()).sum()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn a_default_canary_keeps_to_its_calls_transitions_and_cost() {
    let file = root().join("examples/rehearsals/canary.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    crate::least_privilege::check_report(&report, crate::least_privilege::SEEN_WITH_A_JUDGE);

    let service = &report["services"][0];
    // The attach is a shift too.
    let shifts = service["steps"].as_array().unwrap().len() as u64 + 1;
    let routes = service["routes"].as_array().unwrap().len() as u64;
    let shifting = calls(&report, Some("-shift-weight"), "elasticloadbalancing:");
    let states = service["states"].as_array().unwrap();
    let transitions = states.len();
    let tasks = states.iter().filter(|state| is_a_task(state.as_str().unwrap())).count();
    let (reads, writes) = table_calls(&report);
    let metrics = metrics_asked_for(&report);
    let cost = [
        ("transitions", transitions as f64 * price::TRANSITION),
        ("functions", tasks as f64 * (price::INVOCATION + SECONDS_OF_AN_INVOCATION * GIGABYTES * price::MEMORY_SECOND)),
        ("metrics of the judge", metrics as f64 * price::METRIC),
        ("table", writes as f64 * 2.0 * ITEMS_OF_A_TRANSACTION * price::TABLE_WRITE + reads as f64 * price::TABLE_READ),
    ];
    let total: f64 = cost.iter().map(|(_, usd)| usd).sum();

    eprintln!("| a default canary of a service with {routes} routes | | goal |\n| --- | ---: | ---: |");
    let per_shift = shifting as f64 / shifts as f64;
    eprintln!("| ELBv2 calls of a shift, {shifts} shifts | {per_shift:.1} | {} |", routes + GOAL_BESIDE_WRITES);
    for (operation, count) in report["calls"]["crossfade-shift-weight"].as_object().unwrap() {
        eprintln!("| `{operation}` by `shift-weight` | {count} | |");
    }
    eprintln!("| ELBv2 calls in all | {} | |", calls(&report, None, "elasticloadbalancing:"));
    eprintln!("| CloudWatch calls in all | {} | |", calls(&report, None, "monitoring:"));
    eprintln!("| DynamoDB calls in all: reads, transactions | {reads}, {writes} | |");
    eprintln!("| transitions | {transitions} | {MOST_TRANSITIONS} |");
    eprintln!("| metrics asked for by the judge | {metrics} | |");
    for (what, usd) in cost {
        eprintln!("| cost in USD: {what} | {usd:.4} | |");
    }
    eprintln!("| cost in USD: together | {total:.4} | {HIGHEST_COST} |");

    let allowed = shifts * (routes + MOST_BESIDE_WRITES);
    assert!(shifting <= allowed, "{shifting} calls in {shifts} shifts, {allowed} at most");
    assert!(transitions > 100 && transitions <= MOST_TRANSITIONS, "{transitions} transitions");
    assert!(total <= HIGHEST_COST, "{total} USD");
}

fn table_calls(report: &Value) -> (u64, u64) {
    let transactions = calls(report, None, "dynamodb:TransactWriteItems");
    (calls(report, None, "dynamodb:") - transactions, transactions)
}

/// Questions, waits and ends call no function.
fn is_a_task(state: &str) -> bool {
    let without = ["Bake slice", "Settle", "Wait for targets", "Wait to attach", "Wait for capacity", "Migrated"];
    !state.ends_with('?') && !without.contains(&state)
}
