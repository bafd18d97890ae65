//! What healthy services of the founding case look like, and what a fault in them looks like: JVMs behind several load
//! balancers, an old cluster that is emptied, gaps in what was counted.

use crate::judge::{Before, MetricKind, MetricSeries, Minute, PairSeries, Parameters, Series, Verdict, WarmUp, judge};

fn minutes(ages: std::ops::Range<u32>, [new_bad, new, old_bad, old]: [u64; 4]) -> Vec<Minute> {
    ages.map(|age| Minute { age, new_bad, new, old_bad, old }).collect()
}

fn pair(name: &str, old_share: f64, minutes: Vec<Minute>) -> PairSeries {
    let before = Before { dispersion: 1.0, old_share: Some(old_share) };
    PairSeries { name: name.to_owned(), before, minutes, targets: vec![3; 100], ..PairSeries::default() }
}

fn of_pairs(kind: MetricKind, pairs: &[PairSeries]) -> Series {
    Series { metrics: [(kind, MetricSeries { before: pairs[0].before, pairs: pairs.to_vec() })].into() }
}

#[test]
fn a_broken_quiet_load_balancer_is_found_beside_a_busy_one_and_named() {
    let busy = pair("public", 0.001, minutes(0..30, [2, 2_000, 18, 18_000]));
    let judgement =
        |quiet: PairSeries| judge(&of_pairs(MetricKind::Errors, &[busy.clone(), quiet]), &Parameters::new(70));
    let broken = judgement(pair("internal", 0.0, minutes(0..30, [2, 2, 0, 18])));
    assert_eq!(broken.verdict, Verdict::Fail, "{}", broken.sentence);
    assert!(broken.sentence.starts_with("on load balancer internal: new cluster fails 100.0 %"), "{}", broken.sentence);
    let fine = judgement(pair("internal", 0.0, minutes(0..30, [0, 2, 0, 18])));
    assert_ne!(fine.verdict, Verdict::Fail);
    let sum = pair("all", 0.001, minutes(0..30, [4, 2_002, 18, 18_018]));
    let drowned = judge(&of_pairs(MetricKind::Errors, &[sum]), &Parameters::new(70));
    assert_eq!(drowned.verdict, Verdict::Pass, "the same failures, judged as one");
}

#[test]
fn a_failure_of_all_is_no_failure_of_one_load_balancer() {
    let one = |name| pair(name, 0.001, minutes(0..10, [10, 200, 2, 1_800]));
    let judgement = judge(&of_pairs(MetricKind::Errors, &[one("public"), one("internal")]), &Parameters::new(70));
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert!(judgement.sentence.starts_with("new cluster fails 5.0 %"), "{}", judgement.sentence);
}

#[test]
fn cold_targets_are_not_judged_and_the_reason_says_how_far_they_are() {
    let of = |count| of_pairs(MetricKind::Slow, &[pair("public", 0.05, minutes(0..count, [300, 310, 50, 1_000]))]);
    let sentence = |count, parameters| judge(&of(count), &parameters).sentence;
    let parameters = Parameters::new(60);
    assert_eq!(sentence(3, parameters), "slow is not judged yet: targets are cold (310 of 2,000 requests each)");
    let quick = Parameters { warm_up: WarmUp { requests: 300, ..parameters.warm_up }, ..parameters };
    assert_eq!(sentence(3, quick), "slow is not judged yet: 3 of 5 minutes since the first shift");
    assert_eq!(judge(&of(40), &parameters).verdict, Verdict::Fail, "20 minutes are cold");
    let warmed = Parameters { warm_up: WarmUp { warmed: 2_000, ..parameters.warm_up }, ..parameters };
    assert_eq!(judge(&of(8), &warmed).verdict, Verdict::Fail);
}

#[test]
fn an_old_cluster_that_got_faster_makes_no_new_one_slow() {
    let emptied = [50, 1_000, 5, 1_000];
    let of = |counts| of_pairs(MetricKind::Slow, &[pair("public", 0.05, minutes(0..60, counts))]);
    let warm = Parameters { warm_up: WarmUp::NONE, ..Parameters::new(60) };
    assert_ne!(judge(&of(emptied), &warm).verdict, Verdict::Fail, "5 % are slow, as in the hour before");
    assert_eq!(judge(&of([200, 1_000, 5, 1_000]), &warm).verdict, Verdict::Fail);
    assert_ne!(judge(&of([200, 1_000, 200, 1_000]), &warm).verdict, Verdict::Fail, "both are slower than before");
}

#[test]
fn a_service_that_always_fails_a_lot_is_not_allowed_half_as_much_again() {
    let of = |new_bad, old_share| {
        of_pairs(MetricKind::Errors, &[pair("public", old_share, minutes(0..60, [new_bad, 2_000, 200, 2_000]))])
    };
    let verdict = |new_bad, old_share| judge(&of(new_bad, old_share), &Parameters::new(60)).verdict;
    assert_eq!(verdict(300, 0.1), Verdict::Fail, "15 % and 10 %");
    assert_ne!(verdict(230, 0.1), Verdict::Fail, "11.5 % and 10 %");
    // Where 10 % is an incident of today, both clusters have it, and they need not have it to the point.
    assert_ne!(verdict(300, 0.001), Verdict::Fail);
}

#[test]
fn a_gap_in_the_old_count_of_failures_is_no_regression() {
    let gap = |old_share| {
        let mut all = minutes(0..20, [10, 500, 30, 1_500]);
        all.iter_mut().skip(5).take(10).for_each(|minute| minute.old_bad = 0);
        of_pairs(MetricKind::Errors, &[pair("public", old_share, all)])
    };
    assert_ne!(judge(&gap(0.02), &Parameters::new(60)).verdict, Verdict::Fail);
    assert_eq!(judge(&gap(0.0), &Parameters::new(60)).verdict, Verdict::Fail, "it never failed before");
}
