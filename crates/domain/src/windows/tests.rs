use super::*;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn hours(first: Day, last: Day, from: &str, to: &str) -> OpenHours {
    let time = |text: &str| MinuteOfDay::parse(text).unwrap();
    OpenHours { days: first.through(last), from: time(from), to: time(to) }
}

fn freeze(from: &str, to: &str, why: &str) -> Freeze {
    let local = |text: &str| text.parse::<DateTime>().unwrap();
    Freeze { from: local(from), to: local(to), why: why.to_owned() }
}

fn windows(zone: &str, open: Vec<OpenHours>, freeze: Vec<Freeze>) -> Windows {
    let time_zone = TimeZone::get(zone).unwrap();
    Windows { time_zone, open, freeze, calendars: Vec::new(), fit: Fit::Bake, on_close: OnClose::Hold }
}

/// Monday to Thursday, 09:30 to 16:00, in Madrid.
fn madrid() -> Windows {
    windows("Europe/Madrid", vec![hours(Day::Mon, Day::Thu, "09:30", "16:00")], Vec::new())
}

/// An instant, written with its offset.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn open_until(until: &str) -> Opening {
    Opening::Open { until: Some(at(until)) }
}

#[track_caller]
fn closed(windows: &Windows, now: &str, until: &str, why: &str) {
    let expected = Opening::Closed { until: Some(at(until)), why: why.to_owned() };
    assert_eq!(windows.opening(&Calendars::default(), at(now)), expected);
}

#[track_caller]
fn open(windows: &Windows, now: &str, until: &str) {
    assert_eq!(windows.opening(&Calendars::default(), at(now)), open_until(until));
}

#[test]
fn a_week_of_open_hours_opens_and_closes_at_its_local_times() {
    let week = madrid();
    let why = "closed until Mon 09:30 Europe/Madrid (outside the open hours)";
    closed(&week, "2026-12-06T23:00:00+01:00", "2026-12-07T09:30:00+01:00", why);
    closed(&week, "2026-12-07T09:29:59+01:00", "2026-12-07T09:30:00+01:00", why);
    open(&week, "2026-12-07T09:30:00+01:00", "2026-12-07T16:00:00+01:00");
    open(&week, "2026-12-10T15:59:59+01:00", "2026-12-10T16:00:00+01:00");
    closed(&week, "2026-12-10T16:00:00+01:00", "2026-12-14T09:30:00+01:00", why);
}

#[test]
fn a_freeze_closes_open_hours_and_says_why() {
    let mut frozen = madrid();
    frozen.freeze = vec![freeze("2026-12-18T00:00", "2027-01-08T00:00", "year end")];
    open(&frozen, "2026-12-17T12:00:00+01:00", "2026-12-17T16:00:00+01:00");
    // The 8th is a Friday.
    let far = "closed until Mon 2027-01-11 09:30 Europe/Madrid (freeze: year end)";
    closed(&frozen, "2026-12-21T12:00:00+01:00", "2027-01-11T09:30:00+01:00", far);
    let near = "closed until Mon 09:30 Europe/Madrid (freeze: year end)";
    closed(&frozen, "2027-01-07T12:00:00+01:00", "2027-01-11T09:30:00+01:00", near);
    let night = "closed until Mon 09:30 Europe/Madrid (freeze: year end, outside the open hours)";
    closed(&frozen, "2027-01-07T23:00:00+01:00", "2027-01-11T09:30:00+01:00", night);
}

#[test]
fn a_freeze_that_begins_in_the_middle_of_open_hours_ends_them() {
    let mut frozen = madrid();
    frozen.freeze = vec![freeze("2026-12-08T12:00", "2026-12-08T13:00", "")];
    open(&frozen, "2026-12-08T10:00:00+01:00", "2026-12-08T12:00:00+01:00");
    let why = "closed until Tue 13:00 Europe/Madrid (freeze)";
    closed(&frozen, "2026-12-08T12:30:00+01:00", "2026-12-08T13:00:00+01:00", why);
    open(&frozen, "2026-12-08T13:00:00+01:00", "2026-12-08T16:00:00+01:00");
}

#[test]
fn without_open_hours_everything_is_open_outside_of_freezes() {
    let always = windows("Europe/Madrid", Vec::new(), Vec::new());
    assert_eq!(always.opening(&Calendars::default(), at("2026-12-06T23:00:00Z")), Opening::Open { until: None });
    let frozen = windows("Europe/Madrid", Vec::new(), vec![freeze("2026-12-18T00:00", "2026-12-19T00:00", "")]);
    open(&frozen, "2026-12-06T12:00:00Z", "2026-12-18T00:00:00+01:00");
    assert_eq!(frozen.opening(&Calendars::default(), at("2026-12-19T00:00:00+01:00")), Opening::Open { until: None });
    let all_week = windows("Europe/Madrid", vec![hours(Day::Mon, Day::Sun, "00:00", "24:00")], Vec::new());
    assert_eq!(all_week.opening(&Calendars::default(), at("2026-12-06T23:00:00Z")), Opening::Open { until: None });
}

#[test]
fn one_of_several_open_hours_is_enough_and_those_that_touch_are_one() {
    let several = windows(
        "Europe/Madrid",
        vec![
            hours(Day::Sat, Day::Sat, "10:00", "11:00"),
            hours(Day::Mon, Day::Fri, "09:00", "12:00"),
            hours(Day::Mon, Day::Fri, "12:00", "15:00"),
        ],
        Vec::new(),
    );
    open(&several, "2026-12-07T11:00:00+01:00", "2026-12-07T15:00:00+01:00");
    open(&several, "2026-12-12T10:30:00+01:00", "2026-12-12T11:00:00+01:00");
}

#[test]
fn hours_that_end_before_they_begin_cross_midnight() {
    let night = windows("Europe/Madrid", vec![hours(Day::Fri, Day::Fri, "22:00", "02:00")], Vec::new());
    let why = "closed until Fri 22:00 Europe/Madrid (outside the open hours)";
    closed(&night, "2026-12-11T01:00:00+01:00", "2026-12-11T22:00:00+01:00", why);
    open(&night, "2026-12-11T23:00:00+01:00", "2026-12-12T02:00:00+01:00");
    open(&night, "2026-12-12T01:59:59+01:00", "2026-12-12T02:00:00+01:00");
}

#[test]
fn a_local_time_that_the_clocks_skip_is_the_instant_at_which_they_do() {
    // Madrid, 2027-03-28: 02:00 becomes 03:00.
    let skipped = windows("Europe/Madrid", vec![hours(Day::Sun, Day::Sun, "02:30", "05:00")], Vec::new());
    let why = "closed until Sun 03:00 Europe/Madrid (outside the open hours)";
    closed(&skipped, "2027-03-28T01:59:59+01:00", "2027-03-28T03:00:00+02:00", why);
    open(&skipped, "2027-03-28T03:00:00+02:00", "2027-03-28T05:00:00+02:00");
    let gone = windows("Europe/Madrid", vec![hours(Day::Sun, Day::Sun, "02:10", "02:50")], Vec::new());
    let why = "closed until Sun 2027-04-04 02:10 Europe/Madrid (outside the open hours)";
    closed(&gone, "2027-03-28T01:00:00+01:00", "2027-04-04T02:10:00+02:00", why);
    // Santiago changes at midnight: 2027-09-05 begins at 01:00.
    let santiago = windows("America/Santiago", vec![hours(Day::Sun, Day::Sun, "00:00", "04:00")], Vec::new());
    open(&santiago, "2027-09-05T01:00:00-03:00", "2027-09-05T04:00:00-03:00");
    closed(
        &santiago,
        "2027-09-04T23:59:59-04:00",
        "2027-09-05T01:00:00-03:00",
        "closed until Sun 01:00 America/Santiago (outside the open hours)",
    );
    // A day that has no midnight is frozen from its first instant on.
    let day = windows("America/Santiago", Vec::new(), vec![freeze("2027-09-05T00:00", "2027-09-06T00:00", "")]);
    open(&day, "2027-09-04T12:00:00-04:00", "2027-09-05T01:00:00-03:00");
}

#[test]
fn a_local_time_that_the_clocks_show_twice_is_its_first() {
    // Madrid, 2027-10-31: 03:00 becomes 02:00.
    let twice = windows("Europe/Madrid", vec![hours(Day::Sun, Day::Sun, "02:30", "05:00")], Vec::new());
    open(&twice, "2027-10-31T02:30:00+02:00", "2027-10-31T05:00:00+01:00");
    open(&twice, "2027-10-31T02:10:00+01:00", "2027-10-31T05:00:00+01:00");
    let ends = windows("Europe/Madrid", vec![hours(Day::Sun, Day::Sun, "01:00", "02:30")], Vec::new());
    open(&ends, "2027-10-31T01:00:00+02:00", "2027-10-31T02:30:00+02:00");
    // Santiago, 2027-04-03: 24:00 becomes 23:00.
    let santiago = windows("America/Santiago", vec![hours(Day::Sat, Day::Sat, "20:00", "24:00")], Vec::new());
    open(&santiago, "2027-04-03T23:30:00-03:00", "2027-04-04T00:00:00-04:00");
}

fn with_calendar(state: CalendarState) -> (Windows, Calendars) {
    let calendars = vec!["change-freeze".to_owned()];
    (Windows { calendars, ..madrid() }, Calendars::from_iter([("change-freeze".to_owned(), state)]))
}

#[test]
fn an_unreadable_calendar_is_closed_and_says_so() {
    let now = at("2026-12-07T10:00:00+01:00");
    let why = |error: &str| {
        format!("closed, and it is not known until when (calendar change-freeze could not be read: {error})")
    };
    let (windows, calendars) = with_calendar(CalendarState::Unreadable("throttled".to_owned()));
    assert_eq!(windows.opening(&calendars, now), Opening::Closed { until: None, why: why("throttled") });
    let unread = windows.opening(&Calendars::default(), now);
    assert_eq!(unread, Opening::Closed { until: None, why: why("it was not read") });
    assert!(windows.fits(&Calendars::default(), now, 60).is_err());
}

#[test]
fn every_calendar_must_be_open() {
    let now = at("2026-12-07T10:00:00+01:00");
    let noon = at("2026-12-07T12:00:00+01:00");
    let (windows, calendars) = with_calendar(CalendarState::Closed { until: Some(noon) });
    let why = "closed until Mon 12:00 Europe/Madrid (calendar change-freeze)".to_owned();
    assert_eq!(windows.opening(&calendars, now), Opening::Closed { until: Some(noon), why });
    assert_eq!(windows.opening(&calendars, noon), open_until("2026-12-07T16:00:00+01:00"));
    let (windows, calendars) = with_calendar(CalendarState::Open { until: Some(noon) });
    assert_eq!(windows.opening(&calendars, now), Opening::Open { until: Some(noon) });
    let (windows, calendars) = with_calendar(CalendarState::Open { until: None });
    assert_eq!(windows.opening(&calendars, now), open_until("2026-12-07T16:00:00+01:00"));
}

#[test]
fn a_step_is_taken_only_if_its_bake_ends_inside_the_window() {
    let week = madrid();
    let fits = |windows: &Windows, now: &str, seconds| windows.fits(&Calendars::default(), at(now), seconds);
    assert_eq!(fits(&week, "2026-12-07T15:00:00+01:00", 3_600), Ok(()));
    let refused = fits(&week, "2026-12-07T15:00:01+01:00", 3_600).unwrap_err();
    assert_eq!(refused.until, Some(at("2026-12-08T09:30:00+01:00")));
    assert_eq!(
        refused.why,
        "closes at Mon 16:00 Europe/Madrid, before a bake of 1h would end; a bake of 1h fits from Tue 09:30 \
         Europe/Madrid"
    );
    assert_eq!(fits(&Windows { fit: Fit::Start, ..madrid() }, "2026-12-07T15:59:59+01:00", 3_600), Ok(()));
    let outside = fits(&week, "2026-12-07T16:00:00+01:00", 3_600).unwrap_err();
    assert_eq!(outside.why, "closed until Tue 09:30 Europe/Madrid (outside the open hours)");
    // The next opening is too short, because a freeze ends it.
    let frozen = Windows { freeze: vec![freeze("2026-12-08T10:00", "2026-12-08T18:00", "")], ..madrid() };
    let later = fits(&frozen, "2026-12-07T16:00:00+01:00", 3_600).unwrap_err();
    assert_eq!(later.until, Some(at("2026-12-09T09:30:00+01:00")));
    assert_eq!(
        later.why,
        "closed until Tue 09:30 Europe/Madrid (outside the open hours); a bake of 1h fits from Wed 09:30 Europe/Madrid"
    );
}

#[test]
fn a_bake_that_is_longer_than_every_window_fits_nowhere() {
    let week = madrid();
    assert_eq!(week.longest_opening_seconds(), Some(6 * 3_600 + 1_800));
    assert_eq!(week.next_fit(&Calendars::default(), at("2026-12-07T00:00:00Z"), 7 * 3_600), None);
    let around_the_week = windows(
        "UTC",
        vec![hours(Day::Sun, Day::Sun, "20:00", "02:00"), hours(Day::Mon, Day::Mon, "02:00", "04:00")],
        Vec::new(),
    );
    assert_eq!(around_the_week.longest_opening_seconds(), Some(8 * 3_600));
    let always = windows("UTC", vec![hours(Day::Mon, Day::Sun, "12:00", "12:00")], Vec::new());
    assert_eq!(always.longest_opening_seconds(), None);
    assert_eq!(windows("UTC", Vec::new(), Vec::new()).longest_opening_seconds(), None);
}

#[test]
fn only_open_time_counts_between_two_moments() {
    let week = madrid();
    let count = |from: &str, to: &str| week.open_seconds_between(at(from), at(to));
    assert_eq!(count("2026-12-10T15:00:00+01:00", "2026-12-14T10:00:00+01:00"), 3_600 + 1_800);
    assert_eq!(count("2026-12-11T15:00:00+01:00", "2026-12-12T10:00:00+01:00"), 0);
    assert_eq!(count("2026-12-07T10:00:00+01:00", "2026-12-07T10:00:30+01:00"), 30);
    let always = windows("UTC", Vec::new(), Vec::new());
    assert_eq!(always.open_seconds_between(at("2026-12-07T10:00:00Z"), at("2026-12-17T10:00:00Z")), 10 * 86_400);
    assert_eq!(week.closed_by_the_clock(at("2026-12-07T10:00:00+01:00")), None);
    let next = at("2026-12-08T09:30:00+01:00");
    assert_eq!(week.closed_by_the_clock(at("2026-12-07T16:00:00+01:00")), Some(next));
}

#[test]
fn what_is_stored_is_read_again() {
    let stored = serde_json::to_value(Windows {
        freeze: vec![freeze("2026-12-18T00:00", "2027-01-08T00:00", "year end")],
        calendars: vec!["change-freeze".to_owned()],
        on_close: OnClose::RollBack,
        ..madrid()
    });
    let stored = stored.unwrap();
    assert_eq!(
        stored,
        serde_json::json!({
            "timeZone": "Europe/Madrid",
            "open": [{ "days": ["Mon", "Tue", "Wed", "Thu"], "from": "09:30", "to": "16:00" }],
            "freeze": [{ "from": "2026-12-18T00:00:00", "to": "2027-01-08T00:00:00", "why": "year end" }],
            "calendars": ["change-freeze"],
            "onClose": "rollBack",
        })
    );
    let read: Windows = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
}

fn any_hours() -> impl Strategy<Value = OpenHours> {
    let day = || prop::sample::select(Day::NAMED.map(|(_, day)| day).to_vec());
    (day(), day(), 0..24_u16, 0..24_u16)
        .prop_map(|(first, last, from, to)| hours(first, last, &format!("{from:02}:30"), &format!("{to:02}:15")))
}

fn any_windows() -> impl Strategy<Value = Windows> {
    let zones = ["Europe/Madrid", "America/Santiago", "Africa/Cairo", "UTC", "Asia/Kolkata", "Australia/Lord_Howe"];
    let first: DateTime = "2027-01-01T00:00".parse().unwrap();
    let freeze = (0..400_i64, 1..2_000_i64).prop_map(move |(day, hours)| Freeze {
        from: first.checked_add(SignedDuration::from_hours(day * 24)).unwrap(),
        to: first.checked_add(SignedDuration::from_hours(day * 24 + hours)).unwrap(),
        why: String::new(),
    });
    let zone = prop::sample::select(zones.to_vec());
    (zone, prop::collection::vec(any_hours(), 0..4), prop::collection::vec(freeze, 0..4))
        .prop_map(|(zone, open, freeze)| windows(zone, open, freeze))
}

proptest! {
    #[test]
    fn an_opening_is_consistent_with_itself(
        windows in any_windows(), minute in 0..600_000_i64, part in 0.0..1.0_f64, bake in 1..200_000_u32,
    ) {
        let calendars = Calendars::default();
        let now = at("2027-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
        let is_open = |at: Timestamp| matches!(windows.opening(&calendars, at), Opening::Open { .. });
        let between = |until: Timestamp| now + until.duration_since(now).mul_f64(part * 0.999);
        match windows.opening(&calendars, now) {
            Opening::Open { until: Some(until) } => {
                prop_assert!(until > now && !is_open(until) && is_open(between(until)));
                let open = until.duration_since(now);
                prop_assert_eq!(i64::from(windows.open_seconds_between(now, until)), open.as_secs());
            }
            Opening::Open { until: None } => prop_assert!(is_open(now + SignedDuration::from_hours(24 * 30))),
            Opening::Closed { until: Some(until), .. } => {
                prop_assert!(until > now && is_open(until) && !is_open(between(until)));
                prop_assert_eq!(windows.open_seconds_between(now, until), 0);
            }
            Opening::Closed { until: None, .. } => prop_assert!(false, "hours of a week open every week"),
        }
        let longest = windows.longest_opening_seconds();
        match windows.next_fit(&calendars, now, bake) {
            Some(from) => {
                prop_assert_eq!(windows.fits(&calendars, from, bake), Ok(()));
                prop_assert!(from == now || windows.fits(&calendars, now, bake).unwrap_err().until == Some(from));
            }
            // An hour less where the clocks go forward.
            None => prop_assert!(longest.is_some_and(|longest| bake + 3_600 > longest)),
        }
    }
}
