use crate::policy::calling::ProbeMethod;
use crate::probe::{Difference, Outcome, ROUNDS, Report, Verdict};

fn outcome(path: &str, verdict: Verdict) -> Outcome {
    let through = "port 443 of public".to_owned();
    Outcome { method: ProbeMethod::Get, path: path.into(), rounds: ROUNDS, through, verdict }
}

fn same(noise: &[&str]) -> Verdict {
    Verdict::Same { noise: noise.iter().map(ToString::to_string).collect() }
}

fn report(outcomes: &[Outcome]) -> Report {
    Report { outcomes: outcomes.to_vec() }
}

#[test]
fn a_report_says_what_was_tested_and_what_was_not() {
    let passed = report(&[outcome("/a", same(&[])), outcome("/b", same(&[])), outcome("/c", same(&[]))]);
    assert!(passed.passed());
    let expected = "5 GETs on 3 paths answered alike. POST, load and data written by the new side were not tested.";
    assert_eq!(passed.describe(), expected);
    let head = Outcome { method: ProbeMethod::Head, ..outcome("/a", same(&["header etag"])) };
    assert_eq!(
        report(&[head]).describe(),
        "5 requests on 1 path answered alike. POST, load and data written by the new side were not tested. Not \
         compared, because the old side's own answers differ there: header etag of /a."
    );
}

#[test]
fn one_failure_of_many_fails_the_probes() {
    let odd = |field: &str| Difference { field: field.into(), old: "12".into(), new: "13".into() };
    let differs = |fields: &[&str]| Verdict::Differs { differences: fields.iter().map(|name| odd(name)).collect() };
    let failed = report(&[outcome("/a", same(&[])), outcome("/b", differs(&["body.total"]))]);
    assert!(!failed.passed());
    let expected = "GET /b through port 443 of public: body.total is 12 on the old side and 13 on the new";
    assert_eq!(failed.describe(), expected);
    let many = report(&[outcome("/b", differs(&["body.a", "body.b", "body.c", "body.d", "body.e"]))]);
    assert!(many.describe().ends_with("13 on the new, 2 more fields differ"), "{}", many.describe());
    let all = report(&["/a", "/b", "/c", "/d", "/e"].map(|path| outcome(path, differs(&["body.total"]))));
    assert!(all.describe().contains("GET /c") && !all.describe().contains("GET /d"), "{}", all.describe());
    assert!(all.describe().ends_with("; and 2 more probes"), "{}", all.describe());
    let unsure = report(&[outcome("/a", Verdict::NotComparable { why: "it is cut".into() })]);
    assert!(!unsure.passed(), "what cannot be compared is no evidence");
    assert!(unsure.describe().ends_with("cannot be compared: it is cut"));
}

#[test]
fn probes_that_asked_nothing_have_not_passed() {
    assert!(!Report::default().passed());
    assert_eq!(Report::default().describe(), "nothing was probed");
}
