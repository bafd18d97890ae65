//! Where the requests went.

use super::*;

/// Shifts to 10 % in minute 0, looked at in minute 10: minutes 2 to 7 are the step past its warm-up.
pub(super) fn objected(
    before: GroupCounts,
    old: GroupCounts,
    new: GroupCounts,
    own: [u64; 2],
    sticky: bool,
    percent: f64,
) -> String {
    let window = Window::of(&shift(10, percent), minute(10)).unwrap();
    let [own_before, own_since] = own;
    let of = |number: i64| {
        let (old, new, balancer_errors) =
            if number < 0 { (before, GroupCounts::default(), own_before) } else { (old, new, own_since) };
        PairMinute { start: minute(number), old, new, balancer_errors, new_targets: 0 }
    };
    let pair = PairRead { of: ComparedPair { sticky, ..compared(None) }, minutes: (-60..10).map(of).collect() };
    objections(&window, Weight::try_new(percent).unwrap(), &[pair]).join(" | ")
}

#[test]
fn a_group_without_its_share_is_starved_unless_clients_are_pinned() {
    let check = |new: u64, sticky: bool, percent: f64, expected: &str| {
        let (old, new) = (counts(900, 1, 0, 0), counts(new, 0, 0, 0));
        assert_eq!(objected(old, old, new, [0, 0], sticky, percent), expected, "{new:?} {sticky} {percent}");
    };
    let starved = "new got 0 of 5400 requests at this step, less than half of its share of 10 %";
    check(0, false, 10.0, starved);
    check(10, false, 10.0, "new got 60 of 5460 requests at this step, less than half of its share of 10 %");
    // Between a fifth and a half of the share nothing is claimed: the bet is that hardly anything arrives.
    check(30, false, 10.0, "");
    check(100, false, 10.0, "");
    check(60, false, 10.0, "");
    check(0, true, 10.0, "");
    check(0, false, 100.0, "");
}

#[test]
fn the_load_balancers_own_errors_count_only_beside_those_of_our_group() {
    let check = |own: [u64; 2], connection_errors: [u64; 2], new_requests: u64, sticky: bool, expected: &str| {
        let [old_errors, new_errors] = connection_errors;
        let (old, new) = (counts(900, 0, old_errors, 0), counts(new_requests, 0, new_errors, 0));
        assert_eq!(
            objected(old, old, new, own, sticky, 10.0),
            expected,
            "{own:?} {connection_errors:?} {new_requests}"
        );
    };
    let ours = "load balancer public answered 120 requests with 5xx itself in 6 of the newest minutes of this step (0 \
                in the hour before the first shift), while new left 12 of 600 requests unanswered";
    check([0, 20], [0, 2], 100, false, ours);
    // A neighbour's outage: our group connects as well as ever, or as badly as the old one.
    check([0, 20], [0, 0], 100, false, "");
    check([0, 20], [9, 1], 100, false, "");
    // As many as ever, or hardly any.
    check([20, 20], [0, 2], 100, false, "");
    check([0, 1], [0, 1], 100, false, "");
    // An empty group: its share is answered with 503, and no group counts them.
    let starved = "new got 0 of 5400 requests at this step, less than half of its share of 10 % | load balancer public \
                   answered 600 requests with 5xx itself in 6 of the newest minutes of this step (0 in the hour before \
                   the first shift), while new gets too few requests";
    check([0, 100], [0, 0], 0, false, starved);
    check([0, 100], [0, 0], 0, true, "");
}

#[test]
fn at_100_percent_the_load_balancers_own_errors_still_count() {
    let (before, gone) = (counts(900, 0, 0, 0), GroupCounts::default());
    let found = objected(before, gone, counts(900, 0, 3, 0), [0, 20], false, 100.0);
    assert!(found.contains("while new left 18 of 5400 requests unanswered"), "{found}");
}

/// Shifts to 10 % in minute 0, looked at in minute `now`: 900 old requests and 100 new ones a minute, with these
/// connection errors of the new group and errors of the load balancer itself by minute.
fn objected_at(now: i64, new_errors: impl Fn(i64) -> u64, own: impl Fn(i64) -> u64) -> Vec<String> {
    let window = Window::of(&shift(10, 10.0), minute(now)).unwrap();
    let of = |number: i64| {
        let new = if number < 0 { GroupCounts::default() } else { counts(100, 0, new_errors(number), 0) };
        PairMinute {
            start: minute(number),
            old: counts(900, 0, 0, 0),
            new,
            balancer_errors: own(number),
            new_targets: 0,
        }
    };
    let pair = PairRead { of: compared(None), minutes: (-60..now).map(of).collect() };
    objections(&window, Weight::try_new(10.0).unwrap(), &[pair])
}

#[test]
fn a_neighbours_short_outage_holds_nobody_whatever_else_happened_at_this_step() {
    let neighbour = |at: i64| if at == 5 { 600 } else { 0 };
    // One connection error of ours in another minute, in the same minute, and many in another one.
    assert!(objected_at(20, |at| u64::from(at == 7), neighbour).is_empty());
    assert!(objected_at(12, |at| u64::from(at == 5), neighbour).is_empty());
    for now in 8..40 {
        assert!(objected_at(now, |at| if at == 7 { 50 } else { 0 }, neighbour).is_empty(), "minute {now}");
    }
}

#[test]
fn what_our_own_targets_refuse_holds_until_ten_minutes_are_clean() {
    let refusing = |at: i64| if (8..11).contains(&at) { 30 } else { 0 };
    let held = |now: i64| !objected_at(now, refusing, refusing).is_empty();
    // Minute 8 has settled in minute 11; minute 10 is the last with errors, and leaves the newest ten in minute 23.
    assert_eq!([10, 11, 15, 22, 23, 60].map(held), [false, true, true, true, false, false]);
    let said = objected_at(13, refusing, refusing).join(" | ");
    let expected = "answered 90 requests with 5xx itself in 3 of the newest minutes of this step (0 in the hour before \
                    the first shift), while new left 90 of 900 requests unanswered";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_group_that_was_starved_and_gets_its_share_again_holds_nobody_any_more() {
    let held = |now: i64| {
        let window = Window::of(&shift(10, 10.0), minute(now)).unwrap();
        let of = |number: i64| {
            let new = if number < 60 { GroupCounts::default() } else { counts(100, 0, 0, 0) };
            PairMinute { start: minute(number), old: counts(900, 0, 0, 0), new, balancer_errors: 0, new_targets: 0 }
        };
        let pair = PairRead { of: compared(None), minutes: (-60..now).map(of).collect() };
        !objections(&window, Weight::try_new(10.0).unwrap(), &[pair]).is_empty()
    };
    assert_eq!([30, 62, 64, 68, 90].map(held), [true, true, true, false, false]);
}

#[test]
fn the_warm_up_of_a_step_and_what_has_not_settled_say_nothing_about_routing() {
    let window = Window::of(&shift(10, 10.0), minute(4)).unwrap();
    let old = counts(900, 0, 0, 0);
    let of = |number| PairMinute {
        start: minute(number),
        old,
        new: GroupCounts::default(),
        balancer_errors: 50,
        new_targets: 0,
    };
    let pair = PairRead { of: compared(None), minutes: (0..4).map(of).collect() };
    assert_eq!(objections(&window, Weight::try_new(10.0).unwrap(), &[pair]), Vec::<String>::new());
}
