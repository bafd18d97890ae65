//! Shows services while they move: a bar for each, or without a terminal, a line for each change.

use crate::view::parts::lines::shortened;
use crate::view::parts::page::{Page, Tone};
use crate::view::parts::table::{Cell, Reasons, Row, Worth, table};
use crate::view::screen::{self, Screen};
use crossfade_domain::weight::Weight;
use crossfade_rehearsal::report::ActReport;
use crossfade_rehearsal::run::{ServiceProgress, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write;
use tokio::sync::watch;

/// Characters of a log line after its time; with it, the line fits into a hundred columns.
const LINE_CHARACTERS: usize = 88;

/// How to show a rehearsal.
pub(super) enum Live {
    /// Bars on a terminal, and whether they have colours.
    Bars(Screen, bool),
    /// The last line about each service.
    Lines(BTreeMap<String, String>),
    /// For a scenario with acts: how many acts were shown, and on a terminal a line that moves.
    Acts(usize, Option<ProgressBar>),
}

impl Live {
    pub(super) fn new(terminal: bool, may_colour: bool, has_acts: bool) -> Self {
        if has_acts {
            let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well formed");
            return Self::Acts(0, terminal.then(|| ProgressBar::new(1).with_style(style)));
        }
        if terminal { Self::Bars(Screen::drawn(), may_colour) } else { Self::Lines(BTreeMap::new()) }
    }

    /// Shows each state of the rehearsal until it is dropped.
    pub(super) async fn follow(
        &mut self,
        shown: &mut watch::Receiver<Snapshot>,
        stderr: &mut impl Write,
    ) -> Infallible {
        while shown.changed().await.is_ok() {
            let snapshot = shown.borrow_and_update().clone();
            self.show(&snapshot, stderr);
        }
        std::future::pending().await
    }

    fn show(&mut self, snapshot: &Snapshot, stderr: &mut impl Write) {
        match self {
            Self::Bars(screen, colours) => {
                let page = Page { columns: screen::columns(), colours: *colours };
                screen.show(&bars(snapshot, page, screen::lines()), None);
            }
            Self::Acts(shown, bar) => {
                for act in snapshot.acts.iter().skip(*shown) {
                    let line = format!("{}  {}", clock_text(act.began_seconds), act_line(act));
                    match bar {
                        Some(bar) => bar.println(line),
                        // The acts go on even if no one can read about them.
                        None => drop(writeln!(stderr, "{line}")),
                    }
                }
                *shown = snapshot.acts.len();
                if let Some(bar) = bar {
                    bar.set_message(act_in_progress(snapshot));
                }
            }
            Self::Lines(printed) => {
                for service in &snapshot.services {
                    if let Some(line) = news(printed, service) {
                        let _written = writeln!(stderr, "{}  {line}", clock_text(snapshot.world_seconds));
                    }
                }
            }
        }
    }

    /// Shows the last state and leaves it on the terminal.
    pub(super) fn finish(&mut self, last: &Snapshot, stderr: &mut impl Write) {
        self.show(last, stderr);
        match self {
            Self::Bars(screen, _) => screen.leave(),
            Self::Acts(_, Some(bar)) => bar.abandon(),
            Self::Acts(_, None) | Self::Lines(_) => {}
        }
    }
}

/// A clock, and a line for each service. If there are more services than lines, those that move come first.
fn bars(snapshot: &Snapshot, page: Page, lines: usize) -> String {
    let served: u64 = snapshot.services.iter().map(|service| service.counts.served).sum();
    let clock = format!("world {}, {served} requests served", clock_text(snapshot.world_seconds));
    let mut services: Vec<&ServiceProgress> = snapshot.services.iter().collect();
    if services.len() >= lines {
        services.sort_by_key(|service| (service.over, service.reason.is_empty()));
    }
    let rows: Vec<Row> = services.into_iter().map(bar_row).collect();
    let columns = [Worth::Name, Worth::Drops(0), Worth::Stays];
    let rows = table(page, &columns, &rows, Reasons::Beside).concat();
    std::iter::once(clock).chain(rows).collect::<Vec<_>>().join("\n")
}

fn bar_row(service: &ServiceProgress) -> Row {
    let tone = if service.over { Tone::Quiet } else { Tone::Moving };
    Row {
        cells: vec![
            Cell::text(&service.service),
            Cell::Bar(Some(service.weight), tone),
            Cell::number(service.weight.to_string()),
        ],
        why: phase_and_reason(service),
    }
}

/// The line of an act in the log.
fn act_line(act: &ActReport) -> String {
    let failed = if act.unmet.is_empty() { "" } else { "FAILED: " };
    shortened(&format!("{}  {failed}{}", act.act, act.summary), LINE_CHARACTERS)
}

/// What goes on in the act that is being played.
fn act_in_progress(snapshot: &Snapshot) -> String {
    let arrived = snapshot.services.iter().filter(|service| service.weight == Weight::FULL).count();
    let served: u64 = snapshot.services.iter().map(|service| service.counts.served).sum();
    format!(
        "world {}, {}: {arrived} of {} services on the new cluster, {served} requests served",
        clock_text(snapshot.world_seconds),
        snapshot.act.unwrap_or("between two acts"),
        snapshot.services.len()
    )
}

/// Returns a line about a service if its weight or its reason has changed.
///
/// A reason contains counts, and in brackets the votes of the gates. Only a change in the words before the brackets
/// counts, without digits. Otherwise every slice of a bake would print a line.
fn news(printed: &mut BTreeMap<String, String>, service: &ServiceProgress) -> Option<String> {
    let line = format!("{} {}  {}", service.service, service.weight, phase_and_reason(service));
    // The report has the whole sentence.
    let line = shortened(&line, LINE_CHARACTERS);
    let is_word = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
    let words: Vec<&str> =
        service.reason.split(" (").next().unwrap_or_default().split_whitespace().filter(is_word).collect();
    let gist = format!("{} {} {}", service.weight, words.join(" "), service.over);
    let last = printed.insert(service.service.clone(), gist.clone());
    (last != Some(gist)).then_some(line)
}

fn phase_and_reason(service: &ServiceProgress) -> String {
    match (service.state.as_str(), service.reason.as_str()) {
        (state, "") => state.to_owned(),
        (state, reason) => format!("{state}: {reason}"),
    }
}

/// Describes the state of every service, for the message after Ctrl-C.
pub(super) fn positions(snapshot: &Snapshot) -> String {
    if snapshot.services.is_empty() {
        return ": no service had started to move".to_owned();
    }
    let mut text = format!(" at {} world time:", clock_text(snapshot.world_seconds));
    for service in &snapshot.services {
        write!(text, "\n  {} was at {}  {}", service.service, service.weight, phase_and_reason(service))
            .expect("writing to a string succeeds");
    }
    text
}

/// Formats hours, minutes and seconds.
pub(super) fn clock_text(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rehearsals are not that long")]
    let seconds = seconds.max(0.0) as u64;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::parts::lines::width;
    use crossfade_domain::weight::Weight;
    use crossfade_rehearsal::traffic::load::Counts;

    fn at(weight: f64, reason: &str) -> Snapshot {
        let service = ServiceProgress {
            service: "users".into(),
            weight: Weight::try_new(weight).unwrap(),
            state: "Bake slice".into(),
            reason: reason.into(),
            over: false,
            counts: Counts::default(),
        };
        Snapshot { world_seconds: 3725.9, services: vec![service], ..Snapshot::default() }
    }

    #[test]
    fn a_log_says_what_is_new_and_not_every_slice() {
        let mut live = Live::new(false, false, false);
        let mut log = Vec::new();
        for snapshot in [
            at(1.0, "1 % for 1 of 10 minutes: quiet"),
            at(1.0, "1 % for 2 of 10 minutes: quiet"),
            at(5.0, "1 % for 10 of 10 minutes: quiet"),
            at(5.0, "users-5xx fires"),
        ] {
            live.show(&snapshot, &mut log);
        }
        assert_eq!(
            String::from_utf8(log).unwrap(),
            "01:02:05  users 1 %  Bake slice: 1 % for 1 of 10 minutes: quiet\n01:02:05  users 5 %  Bake slice: 1 % for \
             10 of 10 minutes: quiet\n01:02:05  users 5 %  Bake slice: users-5xx fires\n"
        );
    }

    #[test]
    fn an_interruption_tells_where_everything_stands() {
        assert_eq!(positions(&Snapshot::default()), ": no service had started to move");
        assert_eq!(positions(&at(25.0, "quiet")), " at 01:02:05 world time:\n  users was at 25 %  Bake slice: quiet");
    }
    #[test]
    fn every_service_has_a_bar_and_those_that_move_come_first_where_not_all_fit() {
        let mut snapshot = Snapshot::default();
        for number in 0..30 {
            let mut service = at(25.0, "1 % for 1 of 10 minutes: quiet").services.remove(0);
            service.service = format!("service-{number}");
            service.over = number < 20;
            snapshot.services.push(service);
        }
        for columns in [60, 80, 160] {
            let text = bars(&snapshot, Page::plain(columns), 10);
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}:\n{text}");
            assert_eq!(text.lines().count(), 31);
            let second = text.lines().nth(1).unwrap();
            assert!(second.contains("service-20  \u{2588}\u{2588}"), "{columns}: {second}");
            assert!(bars(&snapshot, Page::plain(columns), 40).lines().nth(1).unwrap().contains("service-0 "));
        }
    }
}
