//! What the change calendars promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::Side;
use crossfade_actions::ports::PortError;
use crossfade_domain::windows::CalendarState;
use crossfade_world::World;

on_both_sides![a_calendar_says_whether_it_is_open_and_until_when, what_is_no_calendar_is_refused];

async fn a_calendar_says_whether_it_is_open_and_until_when(side: Side) {
    let world = World::new(at(0), 7);
    world.with(|state| {
        state.calendars.put_calendar("always-open", &[]);
        state.calendars.put_calendar("change-freeze", &[(at(-60), at(600)), (at(600), at(900))]);
        state.calendars.put_calendar("year-end", &[(at(3600), at(7200))]);
    });
    let open = side.open(&world).await;
    let closed = CalendarState::Closed { until: Some(at(900)) };
    for (name, expected) in [
        ("always-open", CalendarState::Open { until: None }),
        ("change-freeze", closed.clone()),
        ("arn:aws:ssm:eu-west-1:000000000000:document/change-freeze", closed),
        ("year-end", CalendarState::Open { until: Some(at(3600)) }),
    ] {
        assert_eq!(open.calendars.calendar(name).await, Ok(expected), "{name}");
    }
}

async fn what_is_no_calendar_is_refused(side: Side) {
    let world = World::new(at(0), 7);
    world.with(|state| state.calendars.put_document("restart-everything"));
    let open = side.open(&world).await;
    let read = async |name| open.calendars.calendar(name).await.unwrap_err();
    assert_eq!(read("restart-everything").await.code(), Some("InvalidDocumentType"));
    for name in ["change-freeze", "arn:aws:ssm:eu-west-1:111111111111:document/restart-everything"] {
        let missing = PortError::NotFound { operation: "GetCalendarState", object: name.to_owned() };
        assert_eq!(read(name).await, missing);
    }
}
