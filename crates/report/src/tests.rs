//! Whole pages.

mod fixture;
mod markup;

use crate::{FleetReport, RehearsalReport, Traffic, fleet_page, migration_page, rehearsal_page};
use fixture::{fleet, migration, nasty, written};
use markup::{ids, is_well_formed, outside};

fn pages() -> Vec<(&'static str, String)> {
    let rehearsal = |ok| RehearsalReport {
        ok,
        unmet: vec![nasty()],
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
        ("fleet", fleet_page(&fleet(), &written())),
        ("fleet without entries", fleet_page(&FleetReport { entries: vec![], ..fleet() }, &written())),
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
fn the_page_of_a_migration() {
    insta::assert_snapshot!(markup::lines(&migration_page(&migration(false), &written())));
}

#[test]
fn the_page_of_a_fleet() {
    insta::assert_snapshot!(markup::lines(&fleet_page(&fleet(), &written())));
}
