//! When traffic may be raised: `windows: { timeZone: Europe/Madrid, open: [{ days: Mon-Thu, from: "09:30", to: "16:00"
//! }] }`.

use super::calendars;
use super::duration::{described, written};
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Place, Reader, wrong};
use crate::policy::service_policy::{Schedule, ScheduleStep};
use crate::windows::{Day, Fit, Freeze, MinuteOfDay, OnClose, OpenHours, Windows};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// The fields of `windows`.
pub(super) const WINDOWS_FIELDS: [&str; 6] = ["timeZone", "open", "freeze", "calendars", "fit", "onClose"];
/// The fields of open hours.
pub(super) const OPEN_FIELDS: [&str; 3] = ["days", "from", "to"];
/// The fields of a freeze.
pub(super) const FREEZE_FIELDS: [&str; 3] = ["from", "to", "why"];
/// The words of `fit`.
const FIT: [(&str, Fit); 2] = [("bake", Fit::Bake), ("start", Fit::Start)];
/// The words of `onClose`.
const ON_CLOSE: [(&str, OnClose); 2] = [("hold", OnClose::Hold), ("rollBack", OnClose::RollBack)];
/// The plan keeps them all, and each check goes through them.
const MOST: usize = 100;
/// A date outside these years is a slip.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

/// Reads `windows`. None if anything is wrong with it.
pub(super) fn windows(reader: &mut Reader, place: &Place<'_>) -> Option<Windows> {
    let before = reader.count();
    let what = "an object such as { timeZone: Europe/Madrid, open: [...] }";
    let object = reader.object(place, &WINDOWS_FIELDS, what)?;
    let time_zone = reader
        .required(&object, "timeZone", "a time zone such as Europe/Madrid")
        .and_then(|place| time_zone(reader, &place));
    let open = object.get("open").and_then(|place| all(reader, &place, "a list of open hours", open_hours));
    let freeze = object.get("freeze").and_then(|place| all(reader, &place, "a list of freezes", freeze));
    let calendars = object.get("calendars").and_then(|place| calendars::calendars(reader, &place));
    let fit = object.get("fit").and_then(|place| reader.word(&place, &FIT));
    let on_close = object.get("onClose").and_then(|place| reader.word(&place, &ON_CLOSE));
    (reader.count() == before).then_some(Windows {
        time_zone: time_zone?,
        open: open.unwrap_or_default(),
        freeze: freeze.unwrap_or_default(),
        calendars: calendars.unwrap_or_default(),
        fit: fit.unwrap_or_default(),
        on_close: on_close.unwrap_or_default(),
    })
}

/// Notes every step of a schedule whose bake no window is long enough for: it would wait for ever.
pub(super) fn check_bakes(reader: &mut Reader, path: &str, windows: &Windows, schedule: &Schedule) {
    let Some(longest) = windows.longest_opening_seconds().filter(|_| windows.fit == Fit::Bake) else { return };
    let too_long = |step: &&ScheduleStep| step.bake_seconds > longest;
    for (index, step) in schedule.steps.iter().enumerate().filter(|(_, step)| too_long(step)) {
        let message = format!(
            "the bake of step {} ({}) is {}, and no window is open for more than {}: shorten the bake, widen \
             windows.open, or write windows.fit: start",
            index + 1,
            step.weight,
            written(step.bake_seconds),
            written(longest)
        );
        reader.note(path, message);
    }
}

fn all<T>(
    reader: &mut Reader,
    place: &Place<'_>,
    what: &str,
    read: impl Fn(&mut Reader, &Place<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = reader.list(place, what)?;
    if items.len() > MOST {
        reader.note(&place.path, format!("{} items: expected at most {MOST}", items.len()));
    }
    Some(items.iter().filter_map(|item| read(reader, item)).collect())
}

fn time_zone(reader: &mut Reader, place: &Place<'_>) -> Option<TimeZone> {
    let name = reader.text(place, "a time zone such as Europe/Madrid")?;
    let zone = TimeZone::get(&name).ok().filter(|zone| zone.iana_name().is_some());
    if zone.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let near = did_you_mean(&name, known.iter().map(String::as_str));
        reader.note(&place.path, format!("{name:?}: expected a time zone such as Europe/Madrid{near}"));
    }
    zone
}

fn open_hours(reader: &mut Reader, place: &Place<'_>) -> Option<OpenHours> {
    let object =
        reader.object(place, &OPEN_FIELDS, "open hours such as { days: Mon-Thu, from: \"09:30\", to: \"16:00\" }")?;
    let days = match object.get("days") {
        Some(place) => days(reader, &place),
        None => Some(Day::Mon.through(Day::Sun)),
    };
    let mut time = |field: &str| {
        let place = reader.required(&object, field, "a time of day such as \"09:30\"")?;
        reader.parsed(&place, "a time of day in quotes, such as \"09:30\"", MinuteOfDay::parse)
    };
    let (from, to) = (time("from"), time("to"));
    let (from, to) = (from?, to?);
    if from == to {
        let message = format!("{to} is from too: expected another time; a whole day is \"00:00\" to \"24:00\"");
        reader.note(object.path_of("to"), message);
    }
    if from.minutes() == 24 * 60 {
        reader.note(object.path_of("from"), "\"24:00\" is the end of the day: expected \"00:00\" of the next one");
    }
    Some(OpenHours { days: days?, from, to })
}

/// `Mon-Thu`, `Mon, Wed`, or a list of such texts.
fn days(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<Day>> {
    let what = "days such as Mon-Thu, or Mon, Wed";
    let texts = reader.texts(place, what)?;
    let mut found = Vec::new();
    for part in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
        let day = |name: &str| Day::NAMED.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Some((_, first)), Some((_, last))) = (day(first), day(last)) {
            found.extend(first.through(last));
        } else {
            let names = Day::NAMED.map(|(name, _)| name).join(", ");
            reader.note(&place.path, format!("{part:?}: expected {what}; a day is one of {names}"));
        }
    }
    if texts.is_empty() {
        reader.note(&place.path, format!("no days: expected {what}"));
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn freeze(reader: &mut Reader, place: &Place<'_>) -> Option<Freeze> {
    let object =
        reader.object(place, &FREEZE_FIELDS, "a freeze such as { from: 2026-12-18, to: 2027-01-07, why: year end }")?;
    let what = "a date such as 2026-12-18, or a time such as 2026-12-18T18:00";
    let mut moment = |field: &str, of_date: fn(Date) -> Option<DateTime>| {
        let place = reader.required(&object, field, what)?;
        let text = reader.text(&place, what)?;
        let found = local(&text, of_date).filter(|local| YEARS.contains(&local.year()));
        if found.is_none() {
            reader.note(&place.path, wrong(place.value, &format!("{what}, in local time")));
        }
        found
    };
    let from = moment("from", |date| Some(date.at(0, 0, 0, 0)));
    // Who writes `to: 2027-01-07` means that day too. Read otherwise, traffic would move a day too early.
    let to = moment("to", |date| Some(date.tomorrow().ok()?.at(0, 0, 0, 0)));
    let why = object.get("why").and_then(|place| reader.text(&place, "the reason for the freeze"));
    let (from, to) = (from?, to?);
    if to <= from {
        reader.note(object.path_of("to"), "the freeze ends before it begins: expected a date or time after from");
    }
    Some(Freeze { from, to, why: why.unwrap_or_default() })
}

/// A local date, or date and time. Text with an offset is none: it would be ignored.
fn local(text: &str, of_date: fn(Date) -> Option<DateTime>) -> Option<DateTime> {
    match text.split_once(['T', ' ']) {
        None if text.len() == 10 => of_date(text.parse().ok()?),
        Some((date, time)) if date.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// The schema of `windows`.
pub(super) fn schema() -> Value {
    let day = Day::NAMED.map(|(name, _)| name).join("|");
    let days = format!("^({day})(-({day}))?( *, *({day})(-({day}))?)*$");
    let time = json!({ "type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$" });
    let moment = json!({
        "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$",
    });
    json!({
        "type": "object",
        "description": "When traffic may be raised. The windows of the fleet hold for every service that has none of \
                        its own.",
        "additionalProperties": false,
        "required": ["timeZone"],
        "properties": {
            "timeZone": { "type": "string", "minLength": 1, "description": "The time zone of all times in `windows`." },
            "open": {
                "type": "array", "maxItems": MOST,
                "description": "Hours in which traffic may be raised; always, if left out.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["from", "to"],
                    "properties": {
                        "days": {
                            "description": "The days on which these hours begin; every day, if left out.",
                            "oneOf": [
                                { "type": "string", "pattern": days },
                                {
                                    "type": "array", "minItems": 1, "uniqueItems": true,
                                    "items": { "type": "string", "pattern": days },
                                },
                            ],
                        },
                        "from": described(&time, "When they begin."),
                        "to": described(&time, "When they end. With `to` before `from`, on the next day."),
                    },
                },
            },
            "freeze": {
                "type": "array", "maxItems": MOST,
                "description": "Dates or local times between which traffic is not raised, whatever `open` says.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["from", "to"],
                    "properties": {
                        "from": described(&moment, "The first date, or the first moment."),
                        "to": described(&moment, "The last date, which is frozen until its midnight. A time is not."),
                        "why": { "type": "string", "minLength": 1, "description": "The reason, which messages \
                                                                                   repeat." },
                    },
                },
            },
            "calendars": calendars::schema(),
            "fit": {
                "enum": FIT.map(|(word, _)| word), "default": "bake",
                "description": "`bake`: a step begins only if its bake ends inside the window. `start`: it only has \
                                to begin inside.",
            },
            "onClose": {
                "enum": ON_CLOSE.map(|(word, _)| word), "default": "hold",
                "description": "What happens when a window closes over a migration with traffic that has not reached \
                                its last step.",
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{decode_fleet, decode_service};
    use super::*;

    fn service(fields: &Value) -> Value {
        let mut service =
            json!({ "name": "users", "oldTargetGroups": "g", "newTargets": { "instances": ["i-1", "i-2"] } });
        service.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        service
    }

    fn read(windows: &Value) -> Windows {
        decode_service(&service(&json!({ "windows": windows }))).unwrap().windows.unwrap()
    }

    #[track_caller]
    fn check(fields: &Value, expected: &[&str]) {
        let problems = decode_service(&service(fields)).unwrap_err().0;
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    const CALENDAR_ARN: &str = "arn:aws:ssm:eu-west-1:123456789012:document/change-freeze";

    fn stored(windows: &Windows) -> Value {
        serde_json::to_value(windows).unwrap()
    }

    #[test]
    fn windows_read_as_people_write_them() {
        let windows = read(&json!({
            "timeZone": "Europe/Madrid",
            "open": [
                { "days": "Mon-Thu", "from": "09:30", "to": "16:00" },
                { "days": "Fri-Mon, Wed", "from": "9:30", "to": "24:00" },
                { "days": ["mon", "Sun"], "from": "22:00", "to": "02:00" },
                { "from": "00:00", "to": "01:00" },
            ],
            "freeze": [
                { "from": "2026-12-18", "to": "2027-01-07", "why": "year end" },
                { "from": "2026-11-27T18:00", "to": "2026-11-28 06:30:00" },
            ],
            "calendars": ["change-freeze", CALENDAR_ARN],
            "fit": "start", "onClose": "rollBack",
        }));
        assert_eq!(
            stored(&windows),
            json!({
                "timeZone": "Europe/Madrid",
                "open": [
                    { "days": ["Mon", "Tue", "Wed", "Thu"], "from": "09:30", "to": "16:00" },
                    { "days": ["Mon", "Wed", "Fri", "Sat", "Sun"], "from": "09:30", "to": "24:00" },
                    { "days": ["Mon", "Sun"], "from": "22:00", "to": "02:00" },
                    { "days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "from": "00:00", "to": "01:00" },
                ],
                "freeze": [
                    { "from": "2026-12-18T00:00:00", "to": "2027-01-08T00:00:00", "why": "year end" },
                    { "from": "2026-11-27T18:00:00", "to": "2026-11-28T06:30:00" },
                ],
                "calendars": ["change-freeze", CALENDAR_ARN],
                "fit": "start", "onClose": "rollBack",
            })
        );
        let none = decode_service(&service(&json!({}))).unwrap();
        assert!(serde_json::to_value(none).unwrap().get("windows").is_none(), "an older version reads what is stored");
    }

    #[test]
    fn every_service_of_a_fleet_has_its_windows_unless_it_has_its_own() {
        let utc = json!({ "timeZone": "UTC" });
        let mut own = service(&json!({ "windows": { "timeZone": "Europe/Madrid" } }));
        own["name"] = json!("bookings");
        own["oldTargetGroups"] = json!("h");
        let fleet = json!({ "fleet": "f", "windows": utc, "services": [service(&json!({})), own] });
        let services = decode_fleet(&fleet).unwrap().services;
        let zones: Vec<Value> = services.iter().map(|service| stored(service.windows.as_ref().unwrap())).collect();
        assert_eq!(zones, [json!({ "timeZone": "UTC" }), json!({ "timeZone": "Europe/Madrid" })]);
    }

    #[test]
    fn every_problem_of_windows_has_its_path() {
        check(
            &json!({ "windows": [] }),
            &["windows: a list: expected an object such as { timeZone: Europe/Madrid, open: [...] }"],
        );
        check(
            &json!({ "windows": {
                "opens": [], "calendars": "change-freeze", "fit": "bakes", "onClose": "rollback",
                "open": [
                    { "days": "Mon-Tru", "from": "9.30", "to": "25:00" },
                    { "days": [], "from": "10:00", "to": "10:00", "til": 1 },
                    { "from": 570 },
                ],
                "freeze": [
                    { "from": "2026-12-18", "to": "2026-12-17" },
                    { "from": "18.12.2026", "to": "2026-12-18T10:00Z", "why": "" },
                    { "to": "0026-01-01" },
                ],
            } }),
            &[
                "windows.opens: unknown field (did you mean \"open\"?)",
                "windows.timeZone: missing: expected a time zone such as Europe/Madrid",
                "windows.open[0].days: \"Mon-Tru\": expected days such as Mon-Thu, or Mon, Wed; a day is one of Mon, \
                 Tue, Wed, Thu, Fri, Sat, Sun",
                "windows.open[0].from: \"9.30\": expected a time of day in quotes, from \"00:00\" to \"24:00\"",
                "windows.open[0].to: \"25:00\": expected a time of day in quotes, from \"00:00\" to \"24:00\"",
                "windows.open[1].til: unknown field; expected one of days, from, to",
                "windows.open[1].days: no days: expected days such as Mon-Thu, or Mon, Wed",
                "windows.open[1].to: 10:00 is from too: expected another time; a whole day is \"00:00\" to \"24:00\"",
                "windows.open[2].from: 570: expected a time of day in quotes, such as \"09:30\"",
                "windows.open[2].to: missing: expected a time of day such as \"09:30\"",
                "windows.freeze[0].to: the freeze ends before it begins: expected a date or time after from",
                "windows.freeze[1].from: \"18.12.2026\": expected a date such as 2026-12-18, or a time such as \
                 2026-12-18T18:00, in local time",
                "windows.freeze[1].to: \"2026-12-18T10:00Z\": expected a date such as 2026-12-18, or a time such as \
                 2026-12-18T18:00, in local time",
                "windows.freeze[1].why: empty: expected the reason for the freeze",
                "windows.freeze[2].from: missing: expected a date such as 2026-12-18, or a time such as \
                 2026-12-18T18:00",
                "windows.freeze[2].to: \"0026-01-01\": expected a date such as 2026-12-18, or a time such as \
                 2026-12-18T18:00, in local time",
                "windows.calendars: \"change-freeze\": expected a list of change calendars such as [change-freeze]",
                "windows.fit: \"bakes\": expected one of bake, start (did you mean \"bake\"?)",
                "windows.onClose: \"rollback\": expected one of hold, rollBack (did you mean \"rollBack\"?)",
            ],
        );
        check(
            &json!({ "windows": { "timeZone": "Europe/Madird" } }),
            &["windows.timeZone: \"Europe/Madird\": expected a time zone such as Europe/Madrid (did you mean \
               \"Europe/Madrid\"?)"],
        );
    }

    #[test]
    fn a_bake_that_fits_into_no_window_is_refused_with_its_step() {
        let hour = json!([{ "days": "Mon-Fri", "from": "09:00", "to": "10:00" }]);
        let schedule = json!([{ "weight": 5, "bake": "2h" }, { "weight": 100, "bake": "1h" }]);
        let windows = |fit: &str| json!({ "timeZone": "Europe/Madrid", "open": hour, "fit": fit });
        let fields = |fit: &str| json!({ "schedule": schedule, "windows": windows(fit) });
        check(
            &fields("bake"),
            &["schedule: the bake of step 1 (5 %) is 2h, and no window is open for more than 1h: shorten the bake, \
               widen windows.open, or write windows.fit: start"],
        );
        assert!(decode_service(&service(&fields("start"))).is_ok());
        let fleet = json!({
            "fleet": "f", "windows": { "timeZone": "UTC", "open": hour },
            "defaults": { "schedule": schedule }, "services": [service(&json!({}))],
        });
        let problems = decode_fleet(&fleet).unwrap_err().0;
        assert_eq!((problems.len(), problems[0].path.as_str()), (1, "services[0].schedule"));
    }
}
