use super::{Choice, Sort, objects, render};
use crate::exit_code::ExitCode;
use crate::stack::fleets::StoredFleet;
use crate::stack::overview::standing::Only;
use crate::stack::overview::{Overview, ServiceSeen};
use crate::stack::position::Position;
use crate::view::fixture::{READ, head, name, plan, position, time};
use crate::view::parts::lines::width;
use crate::view::parts::page::Page;
use clap::ValueEnum as _;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::policy::document::decode_fleet;
use serde_json::{Value, json};

/// The only one that has halted; its name is of the longest.
const HALTED: usize = 49;
const SIZES: [usize; 2] = [50, 200];
const WIDTHS: [usize; 3] = [60, 80, 160];

/// What CloudWatch says of an alarm.
const CROSSED: &str = "Threshold Crossed: 2 out of the last 3 datapoints [11.764705882352942 (02/11/26 05:20:00), 9.5 \
                       (02/11/26 05:19:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> \
                       ALARM transition).";

/// Services with something of everything; most have migrated, or have not begun.
fn overview(services: usize) -> Overview {
    Overview {
        now: time(READ),
        services: (0..services).map(seen).collect(),
        fleets: vec![stopped()],
        unusable: Vec::new(),
        missing: Vec::new(),
        code: ExitCode::Done,
    }
}

fn seen(number: usize) -> ServiceSeen {
    let service = name(number);
    let at = |phase, change: &dyn Fn(&mut Head)| {
        let mut head = head(&service, phase);
        change(&mut head);
        Some(position(head))
    };
    let because = |reason: String| move |head: &mut Head| head.reason = Some(reason.clone());
    let position = match number {
        HALTED => {
            let route = &plan(&service, &json!("canary")).routes[0];
            let drift = format!("drift: {}: expected 25 % on g-eks, found 40 %", route.id.describe());
            at(Phase::Halted, &because(drift))
        }
        5 => at(Phase::Moving, &|head| {
            head.verified_step = Some(1);
            head.commands.paused = true;
            head.commanded =
                Some("paused by arn:aws:sts::111122223333:assumed-role/admin/ana: invoices are late".to_owned());
        }),
        6 | 8 | 9 => at(Phase::Moving, &|head| head.verified_step = u32::try_from(number - 4).ok()),
        10 => at(Phase::Moving, &|head| head.intended_step = Some(5)),
        11 => at(Phase::RollingBack, &because(format!("alarm {service}-5xx fired: {CROSSED}"))),
        12 => at(Phase::RolledBack, &because(format!("alarm {service}-5xx fired: {CROSSED}"))),
        13 => at(Phase::RolledBack, &because("rolled back by arn:aws:iam::111122223333:user/ana: no".to_owned())),
        14..=17 => None,
        _ if number.is_multiple_of(3) => at(Phase::Migrated, &|head| head.verified_step = Some(7)),
        _ => None,
    };
    let mut seen = ServiceSeen { fleet: Some("eks-2026".to_owned()), position, ..ServiceSeen::named(service) };
    if number == 4 {
        seen.position = Some(at_approval(number));
    }
    if seen.position.as_ref().is_some_and(|position| position.head.phase == Phase::Migrated) {
        seen.left = Some(Ok(Vec::new()));
    }
    seen
}

/// A service whose bake is over, in a schedule that asks for an approval.
fn at_approval(number: usize) -> Position {
    let service = name(number);
    let mut head = head(&service, Phase::Moving);
    head.verified_step = Some(1);
    head.verified_at = Some(time("2026-11-02T04:26:00Z"));
    head.held_since = Some(time("2026-11-02T04:36:00Z"));
    let steps = json!([{"weight": 10, "bake": "10m", "approve": true}, {"weight": 100, "bake": "10m"}]);
    let plan = plan(&service, &steps);
    Position::of(head, Some(plan), time(READ))
}

fn stopped() -> (StoredFleet, FleetHead) {
    let listed: Vec<Value> = (0..3)
        .map(|number| {
            let group = format!("g-{number}");
            json!({"name": name(number), "oldTargetGroups": group, "newTargets": {"ips": ["10.0.0.1"]}})
        })
        .collect();
    let policy = decode_fleet(&json!({"fleet": "eks-2026", "services": listed})).unwrap();
    let mut head = FleetHead::first("eks-2026", None, "arn", time(READ));
    head.state = RunState::Stopped;
    head.reason =
        Some("2 failed and 1 failure is tolerated: service-049 (halted), service-012 (rolled back)".to_owned());
    (StoredFleet { name: "eks-2026".to_owned(), policy, problem: None }, head)
}

fn shown(overview: &Overview, only: &[Only], columns: usize) -> String {
    render(overview, &Choice { only: only.to_vec(), sort: Sort::Phase }, Page::plain(columns))
}

#[test]
fn fifty_and_two_hundred_services_on_narrow_and_on_wide_pages() {
    for services in SIZES {
        for columns in WIDTHS {
            let text = shown(&overview(services), &[], columns);
            insta::assert_snapshot!(format!("{services}_services_on_{columns}_columns"), text);
        }
    }
}

#[test]
fn the_one_service_that_has_halted_is_in_the_first_ten_lines_with_its_name_state_and_command() {
    for services in SIZES {
        for columns in WIDTHS {
            let mut overview = overview(services);
            // Whatever else stands above it.
            overview.code = ExitCode::NoAccess;
            overview.missing = vec!["the run of fleet other is missing: no answer".to_owned(); 20];
            let text = shown(&overview, &[], columns);
            let first: Vec<&str> = text.lines().take(10).collect();
            let first = first.join("\n");
            let row = first.lines().find(|line| line.contains("service-049-reservations")).expect(&first);
            assert!(row.contains("HALTED"), "{services} services, {columns} columns:\n{first}");
            let command =
                "-> crossfade resume service-049-reservations, or crossfade rollback service-049-reservations";
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words(&first).contains(command), "{services} services, {columns} columns:\n{first}");
        }
    }
}

#[test]
fn no_line_is_wider_than_its_page_and_no_name_is_cut() {
    for services in SIZES {
        for columns in [40, 50, 60, 70, 80, 100, 120, 160, 240] {
            for only in [&[][..], &[Only::Person], &[Only::Migrated, Only::NotStarted, Only::RolledBack, Only::Moving]]
            {
                for sort in Sort::value_variants() {
                    let overview = overview(services);
                    let choice = Choice { only: only.to_vec(), sort: *sort };
                    let text = render(&overview, &choice, Page::plain(columns));
                    for line in text.lines() {
                        assert!(width(line) <= columns, "{services} services, {columns} columns: {line}");
                        assert_eq!(line, line.trim_end());
                    }
                    let chosen = objects(&overview, &choice);
                    assert!(!chosen.is_empty());
                    for object in &chosen {
                        let service = object["service"].as_str().unwrap();
                        assert!(text.contains(service), "{columns} columns: {service}:\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn each_word_of_only_shows_its_services_and_no_others() {
    let mut overview = overview(50);
    overview.services[40].unread = Some("reading its migration: GetItem was throttled".to_owned());
    let count = |only: &[Only]| objects(&overview, &Choice { only: only.to_vec(), sort: Sort::Phase }).len();
    let counts: Vec<usize> = Only::value_variants().iter().map(|only| count(&[*only])).collect();
    // Of the person's: one halted, one to approve, one paused.
    assert_eq!(counts, [3, 1, 1, 1, 5, 2, 26, 13, 1]);
    assert_eq!(counts[0] + counts[4..].iter().sum::<usize>(), 50, "every service is in one group");
    assert_eq!(count(&[Only::Halted, Only::Approval]), 2);
    assert_eq!(count(&[Only::Person, Only::Halted]), 3, "no service is shown twice");
    let text = shown(&overview, &[Only::Migrated], 80);
    assert_eq!(text.lines().filter(|line| line.contains("migrated  ") && line.contains("for ")).count(), 13, "{text}");
    assert!(!text.contains("STOPPED"), "{text}");
    overview.services.retain(|seen| seen.position.is_none());
    assert!(shown(&overview, &[Only::Halted], 80).ends_with("\nno service is as --only asks"));
}

#[test]
fn an_order_holds_within_each_group() {
    let mut overview = overview(50);
    overview.services[9].position.as_mut().unwrap().head.verified_at = Some(time("2026-11-02T01:00:00Z"));
    let order = |sort| {
        let objects = objects(&overview, &Choice { only: vec![Only::Moving], sort });
        objects.iter().map(|one| one["service"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let names = |numbers: &[usize]| numbers.iter().map(|number| name(*number).to_string()).collect::<Vec<_>>();
    assert_eq!(order(Sort::Name), names(&[6, 8, 9, 10, 11]));
    assert_eq!(order(Sort::Phase), names(&[11, 6, 8, 9, 10]));
    assert_eq!(order(Sort::Weight), names(&[9, 8, 10, 6, 11]));
    assert_eq!(order(Sort::Since)[0], name(9).to_string());
}

#[test]
fn a_partial_answer_says_so_and_shows_what_there_is() {
    let mut overview = overview(50);
    for number in [20, 22] {
        overview.services[number].unread = Some("reading its migration: GetItem on crossfade was throttled".to_owned());
    }
    overview.services[6].position.as_mut().unwrap().weight = None;
    overview.missing = vec!["the weight of service-006 is missing: reading its plan: no answer within 5 s".to_owned()];
    overview.code = ExitCode::NoAccess;
    insta::assert_snapshot!("partial_answer_on_80_columns", shown(&overview, &[], 80));
    let objects = objects(&overview, &Choice::default());
    let unread: Vec<&Value> = objects.iter().filter(|one| !one["unread"].is_null()).collect();
    assert_eq!(unread.len(), 2);
    assert_eq!((&unread[0]["group"], &unread[0]["phase"]), (&json!("notRead"), &Value::Null));
}

#[test]
fn colours_say_nothing_that_words_do_not() {
    let overview = overview(50);
    let mut coloured = render(&overview, &Choice::default(), Page { columns: 80, colours: true });
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31mHALTED\u{1b}[0m"), "{coloured}");
    while let Some(start) = coloured.find('\u{1b}') {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(coloured, shown(&overview, &[], 80));
}

#[test]
fn an_object_has_what_it_always_had_and_where_its_service_stands() {
    let overview = overview(50);
    let objects = objects(&overview, &Choice::default());
    let first = &objects[0];
    assert_eq!(first["service"], "service-049-reservations");
    assert_eq!(
        (&first["phase"], &first["standing"], &first["group"]),
        (&json!("halted"), &json!("halted"), &json!("needsAPerson"))
    );
    assert_eq!((&first["weight"], &first["fleet"]), (&json!(25.0), &json!("eks-2026")));
    assert!(first["reason"].as_str().unwrap().contains("rule 00000000000000f1"), "the whole reason: {first}");
    assert_eq!(
        first["why"],
        "drift: public:443 host service-049-reservations.example.com, path /api/*: expected 25 % on g-eks, found 40 %"
    );
    let last = objects.iter().find(|one| one["service"] == "service-016").unwrap();
    assert_eq!((&last["phase"], &last["migration"], &last["weight"]), (&Value::Null, &Value::Null, &Value::Null));
}
