//! How long a call of AWS takes in world time: stated here, once, and never measured on this machine.
//!
//! | what | takes | calls |
//! | --- | --- | --- |
//! | describe | 80 ms | reads of `ELBv2` |
//! | modify | 150 ms | writes of `ELBv2` |
//! | metrics | 100 ms | everything of CloudWatch, Systems Manager and Auto Scaling |
//! | table read | 10 ms | `GetItem`, `Query`, `Scan`, `BatchGetItem` |
//! | table write | 25 ms | every other call of `DynamoDB`, transactions included |
//! | start | 70 ms | everything of Step Functions |
//! | invoke, warm | 15 ms | from the request to the function's first line |
//! | invoke, cold | 400 ms | the same, when no process of the function is idle |
//! | event | 500 ms | from a change of state, through `EventBridge`, to the request to invoke |
//!
//! These are round figures of the order that callers in the same region see; no account was measured. A call takes
//! effect when it arrives, and its answer comes so much later.

use std::time::Duration;

/// A read of `ELBv2`.
pub const DESCRIBE: Duration = Duration::from_millis(80);
/// A write of `ELBv2`.
pub const MODIFY: Duration = Duration::from_millis(150);
/// A call of CloudWatch, Systems Manager or Auto Scaling.
pub const METRICS: Duration = Duration::from_millis(100);
/// A read of the table.
pub const TABLE_READ: Duration = Duration::from_millis(10);
/// A write of the table.
pub const TABLE_WRITE: Duration = Duration::from_millis(25);
/// A call of Step Functions.
pub const START: Duration = Duration::from_millis(70);
/// From the request to invoke a function to its first line, where a process of it is idle.
pub const INVOKE_WARM: Duration = Duration::from_millis(15);
/// The same where a process has to be started.
pub const INVOKE_COLD: Duration = Duration::from_millis(400);
/// From a change of state to the request to invoke what listens to it.
pub const EVENT: Duration = Duration::from_millis(500);

/// How long a call takes: the service by its name in a credential scope, and the operation.
pub fn of_call(service: &str, operation: &str) -> Duration {
    let reads = |prefixes: &[&str]| prefixes.iter().any(|prefix| operation.starts_with(prefix));
    match service {
        "elasticloadbalancing" if reads(&["Describe"]) => DESCRIBE,
        "elasticloadbalancing" => MODIFY,
        "dynamodb" if reads(&["Get", "Query", "Scan", "BatchGet", "Describe"]) => TABLE_READ,
        "dynamodb" => TABLE_WRITE,
        "states" => START,
        _ => METRICS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_what_its_row_says() {
        assert_eq!(of_call("elasticloadbalancing", "DescribeTargetHealth"), DESCRIBE);
        assert_eq!(of_call("elasticloadbalancing", "ModifyRule"), MODIFY);
        assert_eq!(of_call("dynamodb", "Query"), TABLE_READ);
        assert_eq!(of_call("dynamodb", "TransactWriteItems"), TABLE_WRITE);
        assert_eq!(of_call("states", "StartExecution"), START);
        assert_eq!(of_call("monitoring", "GetMetricData"), METRICS);
    }
}
