//! Requests that no target answers.

use super::routing::objected;
use super::*;

#[test]
fn a_request_that_is_never_answered_is_an_error_on_both_sides_and_counts_once() {
    let hangs = |requests, hanging, connection_errors| {
        let counts = counts(requests, 0, connection_errors, 0);
        GroupCounts { answers: requests - hanging, ..counts }
    };
    let errors = |old, new| {
        let minute = series(&window(), &[pair_read(None, &[(1, old, new)])]).metrics[&MetricKind::Errors].sum()[1];
        (minute.old_bad, minute.new_bad)
    };
    assert_eq!(errors(hangs(90, 0, 0), hangs(10, 3, 0)), (0, 3));
    // A connection that failed left its request without an answer too.
    assert_eq!(errors(hangs(90, 2, 2), hangs(10, 3, 2)), (2, 3));
    // It was tried again and answered, or a late answer belongs to a request of the minute before.
    assert_eq!(errors(hangs(90, 0, 4), GroupCounts { answers: 12, ..counts(10, 0, 0, 0) }), (4, 0));
    let failing = GroupCounts { server_errors: 2, ..hangs(10, 3, 0) };
    assert_eq!(errors(hangs(90, 0, 0), failing), (0, 5), "as well as those that are answered with 5xx");
}

#[test]
fn what_the_new_group_leaves_unanswered_at_100_percent_holds_beside_the_load_balancers_own_errors() {
    let hanging = GroupCounts { answers: 600, ..counts(900, 0, 0, 0) };
    let found = objected(counts(900, 0, 0, 0), GroupCounts::default(), hanging, [0, 300], false, 100.0);
    assert!(found.contains("while new left 1800 of 5400 requests unanswered"), "{found}");
}

/// The errors of the new group in three minutes of ten requests, after what was read of them.
fn new_errors(answers: [f64; 3], balancer_errors: [f64; 3]) -> [u64; 3] {
    let pairs = vec![compared(None)];
    let points = |values: [f64; 3]| (1..).zip(values).map(|(number, value)| (minute(number), value)).collect();
    let asked = queries(&pairs);
    let answered = asked.iter().map(|query| match query.to_string().as_str() {
        "Sum of RequestCount of new" | "Sum of RequestCount of old" | "SampleCount of TargetResponseTime of old" => {
            points([10.0; 3])
        }
        "SampleCount of TargetResponseTime of new" => points(answers),
        "Sum of HTTPCode_ELB_5XX_Count of public" => points(balancer_errors),
        _ => vec![],
    });
    let read = read(pairs.clone(), answered.collect());
    let errors = series(&window(), &read).metrics[&MetricKind::Errors].sum();
    [1, 2, 3].map(|minute| errors[minute].new_bad)
}

#[test]
fn answers_that_were_not_published_are_no_requests_that_were_not_answered() {
    assert_eq!(new_errors([10.0, 0.0, 10.0], [0.0; 3]), [0, 0, 0]);
    // The load balancer answered in its place, in that minute or the next.
    assert_eq!(new_errors([10.0, 0.0, 10.0], [0.0, 9.0, 0.0]), [0, 10, 0]);
    assert_eq!(new_errors([10.0, 0.0, 10.0], [0.0, 0.0, 9.0]), [0, 10, 0]);
    assert_eq!(new_errors([10.0, 0.0, 10.0], [9.0, 0.0, 0.0]), [0, 0, 0], "it answers late, never early");
    // Where some answers were published, the others never came.
    assert_eq!(new_errors([10.0, 1.0, 10.0], [0.0; 3]), [0, 9, 0]);
}
