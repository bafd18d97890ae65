//! Whole pages.

mod fixture;
mod markup;

use crate::{CountsSource, FleetReport, Judge, RehearsalReport, Traffic, fleet_page, migration_page, rehearsal_page};
use fixture::{counts, fleet, judge_said, migration, nasty, retired, written};
use markup::{ids, is_well_formed, outside};

fn pages() -> Vec<(&'static str, String)> {
    let rehearsal = |ok| RehearsalReport {
        ok,
        unmet: vec![nasty()],
        acts: vec![crate::Act {
            name: "retire".into(),
            began: "01:52:23".into(),
            took: "25m51s".into(),
            summary: nasty(),
        }],
        fleets: vec![fleet()],
        services: vec![migration(true), migration_of_another()],
        without_journal: vec![("orders".into(), nasty())],
    };
    let unknown = crate::MigrationReport { traffic: Traffic::Unknown(nasty()), ..migration(false) };
    vec![
        ("rolled back", migration_page(&migration(false), &written())),
        ("without counts", migration_page(&unknown, &written())),
        ("without a plan", migration_page(&crate::MigrationReport { plan: None, ..migration(true) }, &written())),
        ("without events", migration_page(&crate::MigrationReport { events: vec![], ..migration(true) }, &written())),
        (
            "retired",
            migration_page(&crate::MigrationReport { retirements: retired(9), ..migration(false) }, &written()),
        ),
        ("fleet", fleet_page(&fleet(), &written())),
        ("fleet without entries", fleet_page(&FleetReport { entries: vec![], ..fleet() }, &written())),
        ("fleet without journals", fleet_page(&FleetReport { migrations: vec![], ..fleet() }, &written())),
        ("rehearsal", rehearsal_page(&rehearsal(true), &written())),
        ("unexpected", rehearsal_page(&rehearsal(false), &written())),
    ]
}

fn migration_of_another() -> crate::MigrationReport {
    let other = crossfade_domain::names::ServiceName::parse("carts").unwrap();
    let migration = crossfade_domain::names::MigrationId::of(&other, 2);
    crate::MigrationReport { service: other, migration, ..migration_of_bookings() }
}

fn migration_of_bookings() -> crate::MigrationReport {
    migration(true)
}

#[test]
fn every_page_is_well_formed_and_has_each_id_once() {
    for (name, page) in pages() {
        if let Err(why) = is_well_formed(&page) {
            panic!("{name}: {why}");
        }
        let all = ids(&page);
        let unique: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(unique.len(), all.len(), "{name}: {all:?}");
    }
}

#[test]
fn no_page_has_a_script_or_asks_anyone_for_anything() {
    for (name, page) in pages() {
        assert_eq!(outside(&page), Vec::<String>::new(), "{name}");
        assert!(page.contains("default-src 'none'"), "{name}");
    }
}

#[test]
fn what_others_wrote_is_text() {
    for (name, page) in pages() {
        assert!(!page.contains("<b>\"&"), "{name}");
        assert!(!page.contains("<script"), "{name}");
    }
    let (_, page) = &pages()[0];
    // In a table, in the title of a mark, and in the policy.
    assert!(page.matches("&lt;b&gt;&quot;&amp;&lt;script&gt;").count() > 4, "{page}");
}

#[test]
fn a_rollback_says_who_was_harmed_and_how_long_it_took() {
    let page = migration_page(&migration(false), &written());
    let said = "bookings-1 was rolled back from 25 % after 12 min 9 s: the new cluster failed 37 of 450 requests, and \
                every route was read back 9 s after the cause.";
    assert!(page.contains(said), "{page}");
    let exact = migration_page(&migration(true), &written());
    assert!(exact.contains("the new cluster failed 41 of 500 requests") && exact.contains("as its clients saw it"));
}

#[test]
fn a_second_attempt_is_not_blamed_for_the_first() {
    let mut second = migration(true);
    second.clients.as_mut().unwrap().of_all_attempts = true;
    let page = migration_page(&second, &written());
    assert!(page.contains("the new cluster failed 37 of 450 requests"), "{page}");
    assert!(page.contains("in all attempts of the service"), "{page}");
}

#[test]
fn what_no_one_has_counted_is_said_to_be_unknown() {
    let unknown =
        crate::MigrationReport { traffic: Traffic::Unknown("the counts are gone".into()), ..migration(false) };
    let page = migration_page(&unknown, &written());
    assert!(page.contains("how many requests it harmed is not known"), "{page}");
    assert!(page.contains("the counts are gone."), "{page}");
}

#[test]
fn counts_that_cloudwatch_was_still_adding_to_are_the_least() {
    let page = |settled, source| {
        let traffic = Traffic::Counted { counts: counts(settled), source };
        migration_page(&crate::MigrationReport { traffic, ..migration(false) }, &written())
    };
    let early = page(8, CountsSource::Journal);
    assert!(early.contains("the new cluster failed at least 37 of 450 requests"), "{early}");
    let said = "counted by CloudWatch up to 2026-11-28 14:11:00 UTC, as the journal has kept it; from 2026-11-28 \
                14:09:00 UTC on it was still counting, so there may be more.";
    assert!(early.contains(said), "{early}");
    let all = page(10, CountsSource::Journal);
    assert!(!all.contains("at least") && all.contains("as the journal has kept it."), "{all}");
    assert!(!page(10, CountsSource::CloudWatch).contains("as the journal has kept it"));
}

#[test]
fn a_judge_that_says_nothing_is_not_left_out() {
    let page = |judge| migration_page(&crate::MigrationReport { judge, ..migration(false) }, &written());
    let unknown = page(Judge::Unknown("access to CloudWatch was denied".into()));
    let said = "The judge&apos;s evidence is not here: access to CloudWatch was denied.";
    assert!(unknown.replace('\'', "&apos;").contains(said), "{unknown}");
    assert!(page(Judge::Off).contains("The policy has no judge"));
    let drawn = page(judge_said());
    for word in ["Evidence of harm so far", "Evidence that the step is fine", "rolls back", "3.25", "Verdict"] {
        assert!(drawn.contains(word), "{word:?} is not in {drawn}");
    }
}

#[test]
fn a_retirement_says_who_and_why_and_how_it_comes_back() {
    let page = |retirements| migration_page(&crate::MigrationReport { retirements, ..migration(false) }, &written());
    let gone = page(retired(9));
    for word in [
        "no request in 24 h",
        "Looked at from 2026-11-28 14:00:00 UTC to 2026-11-29 14:00:00 UTC.",
        "the policy waives directCallers: asked its owner",
        "ben approved the deletion",
        "What was deleted",
        "aws elbv2 create-target-group",
    ] {
        assert!(gone.contains(word), "{word:?} is not in {gone}");
    }
    let left = page(retired(6));
    assert!(left.contains("crossfade retire bookings --undo --reason TEXT"), "{left}");
    assert!(!left.contains("What was deleted") && !left.contains("create-target-group"), "{left}");
    let none = page(vec![]);
    assert!(none.contains("Nothing of the old side was taken apart."), "{none}");
}

#[test]
fn a_fleet_says_what_it_harmed_how_long_both_sides_ran_and_what_was_counted_of_its_cost() {
    let page = fleet_page(&fleet(), &written());
    for word in [
        "The journals of 1 of 2 migrations have the requests: the new cluster failed 37 of 450 requests.",
        "not in its journal; see its own report",
        "2 services had both sides for 2.4 hours in all.",
        "still there",
        "About 0.0014 USD for 1 migration.",
        "25.00 USD for a million state transitions",
    ] {
        assert!(page.contains(word), "{word:?} is not in {page}");
    }
    let early = FleetReport { migrations: vec![], retirements: vec![], ..fleet() };
    let page = fleet_page(&early, &written());
    assert!(page.contains("No service has had both sides yet.") && page.contains("not known"), "{page}");
}

#[test]
fn latencies_are_drawn_where_there_are_any() {
    let drawn = migration_page(&migration(false), &written());
    for word in ["p95 of the new cluster", "310.5", "New p95"] {
        assert!(drawn.contains(word), "{word:?} is not in {drawn}");
    }
    let mut silent = counts(10);
    for span in &mut silent.spans {
        (span.old.p50_microseconds, span.old.p95_microseconds) = (None, None);
        (span.new.p50_microseconds, span.new.p95_microseconds) = (None, None);
    }
    let traffic = Traffic::Counted { counts: silent, source: CountsSource::Journal };
    let page = migration_page(&crate::MigrationReport { traffic, ..migration(false) }, &written());
    assert!(page.contains("CloudWatch has no latencies of these minutes."), "{page}");
}

#[test]
fn the_page_of_a_migration() {
    insta::assert_snapshot!(markup::lines(&migration_page(&migration(false), &written())));
}

#[test]
fn the_page_of_a_fleet() {
    insta::assert_snapshot!(markup::lines(&fleet_page(&fleet(), &written())));
}
