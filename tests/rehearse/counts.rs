//! What a migration costs: calls of AWS and transitions, counted in a rehearsal, against the goals.

use serde_json::Value;

/// Transitions of a default canary.
const MOST_TRANSITIONS: usize = 300;
/// A default canary in USD.
const HIGHEST_COST: f64 = 0.02;
/// Beside a write for each route: the routes before and after, and the health of the side that is to get more.
const GOAL_BESIDE_WRITES: u64 = 3;
/// What it is: rules and default actions are read by different calls, and the health of every group on either side by one each.
const MOST_BESIDE_WRITES: u64 = 8;

/// AWS's prices in eu-west-1, USD each.
mod price {
    pub(super) const TRANSITION: f64 = 25e-6;
    pub(super) const INVOCATION: f64 = 0.2e-6;
    /// A GB second on arm64.
    pub(super) const MEMORY_SECOND: f64 = 13.3334e-6;
    /// A metric in a `GetMetricData`.
    pub(super) const METRIC: f64 = 10e-6;
    /// A write unit, by request; a transaction takes two for each item.
    pub(super) const TABLE_WRITE: f64 = 0.705e-6;
    /// A consistent read of 4 KB.
    pub(super) const TABLE_READ: f64 = 0.141e-6;
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

/// Holds the default scenario's report to the goals and prints the table of docs/performance.md.
#[track_caller]
#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
pub(crate) fn check(report: &Value) {
    let services = report["services"].as_array().unwrap();
    let (mut shifts, mut writes_of_shifts) = (0, 0);
    for service in services {
        // The attach is a shift too, and a rollback's steps are all that were verified before it.
        let own = service["steps"].as_array().unwrap().len() as u64 + 1;
        let routes = service["routes"].as_array().unwrap().len() as u64;
        shifts += own;
        writes_of_shifts += own * routes;
    }
    let shifting = calls(report, Some("-shift-weight"), "elasticloadbalancing:");
    let canary = &services[0];
    let states = canary["states"].as_array().unwrap();
    let transitions = states.len();
    // Of three services at once, the third part.
    let share = services.len() as f64;
    let (reads, writes) = table_calls(report);
    let tasks = states.iter().filter(|state| is_a_task(state.as_str().unwrap())).count() as f64;
    let metrics = metrics_asked_for(report) as f64 / share;
    let cost = [
        ("transitions", transitions as f64 * price::TRANSITION),
        ("functions", tasks * (price::INVOCATION + SECONDS_OF_AN_INVOCATION * GIGABYTES * price::MEMORY_SECOND)),
        ("metrics of the judge", metrics * price::METRIC),
        (
            "table",
            (writes as f64 * 2.0 * ITEMS_OF_A_TRANSACTION * price::TABLE_WRITE + reads as f64 * price::TABLE_READ)
                / share,
        ),
    ];
    let total: f64 = cost.iter().map(|(_, usd)| usd).sum();
    eprintln!("| counted in the default rehearsal | | goal |");
    eprintln!("| --- | ---: | ---: |");
    let goal = writes_of_shifts + shifts * GOAL_BESIDE_WRITES;
    eprintln!("| ELBv2 calls of {shifts} shifts, {writes_of_shifts} routes to write | {shifting} | {goal} |");
    for (operation, count) in report["calls"]["crossfade-shift-weight"].as_object().unwrap() {
        eprintln!("| of them `{operation}` | {count} | |");
    }
    eprintln!("| ELBv2 calls in all | {} | |", calls(report, None, "elasticloadbalancing:"));
    eprintln!("| CloudWatch calls in all | {} | |", calls(report, None, "monitoring:"));
    eprintln!("| DynamoDB calls in all: reads, transactions | {reads}, {writes} | |");
    eprintln!("| transitions of a default canary | {transitions} | {MOST_TRANSITIONS} |");
    eprintln!("| metrics asked for by the judge of one | {metrics:.0} | |");
    for (what, usd) in cost {
        eprintln!("| its cost in USD: {what} | {usd:.4} | |");
    }
    eprintln!("| its cost in USD: together | {total:.4} | {HIGHEST_COST} |");
    let allowed = writes_of_shifts + shifts * MOST_BESIDE_WRITES;
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
    let without = ["Bake slice", "Settle", "Wait for targets", "Wait for capacity", "Migrated"];
    !state.ends_with('?') && !without.contains(&state)
}
