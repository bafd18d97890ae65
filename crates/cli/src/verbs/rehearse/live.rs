//! Shows services while they move: a moving bar for each, or without a terminal, a line for each change.

use crossfade_domain::weight::Weight;
use crossfade_rehearsal::report::ActReport;
use crossfade_rehearsal::run::{ServiceProgress, Snapshot};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write;
use tokio::sync::watch;

/// Characters of a log line after its time; with it, the line fits into a hundred columns.
const LINE_CHARACTERS: usize = 88;

/// How to show a rehearsal.
pub(super) enum Live {
    /// Bars on a terminal.
    Bars(Bars),
    /// The last line about each service.
    Lines(BTreeMap<String, String>),
    /// For a scenario with acts: how many acts were shown, and on a terminal a line that moves.
    Acts(usize, Option<ProgressBar>),
}

/// One bar for each service, below a clock.
#[derive(Default)]
pub(super) struct Bars {
    all: MultiProgress,
    clock: Option<ProgressBar>,
    services: Vec<ProgressBar>,
}

impl Live {
    pub(super) fn new(terminal: bool, has_acts: bool) -> Self {
        if has_acts {
            let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well formed");
            return Self::Acts(0, terminal.then(|| ProgressBar::new(1).with_style(style)));
        }
        if terminal { Self::Bars(Bars::default()) } else { Self::Lines(BTreeMap::new()) }
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
            Self::Bars(bars) => bars.show(snapshot),
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
        if let Self::Acts(_, Some(bar)) = self {
            bar.abandon();
        }
        if let Self::Bars(bars) = self {
            for bar in bars.services.iter().chain(&bars.clock) {
                bar.abandon();
            }
        }
    }
}

impl Bars {
    fn show(&mut self, snapshot: &Snapshot) {
        if self.services.is_empty() {
            let width = snapshot.services.iter().map(|service| service.service.len()).max().unwrap_or_default();
            let plain = ProgressStyle::with_template("{wide_msg}").expect("the template is well formed");
            self.clock = Some(self.all.add(ProgressBar::new(1).with_style(plain)));
            let template = format!("{{prefix:{width}}} ▕{{bar:25.cyan}}▏ {{wide_msg}}");
            let style = ProgressStyle::with_template(&template).expect("the template is well formed");
            let style = style.progress_chars("█▉▊▋▌▍▎▏ ");
            self.services.extend(snapshot.services.iter().map(|service| {
                let bar = ProgressBar::new(Weight::FULL.tenths().into()).with_style(style.clone());
                self.all.add(bar.with_prefix(service.service.clone()))
            }));
        }
        if let Some(clock) = &self.clock {
            let served: u64 = snapshot.services.iter().map(|service| service.counts.served).sum();
            clock.set_message(format!("world {}, {served} requests served", clock_text(snapshot.world_seconds)));
        }
        for (bar, service) in self.services.iter().zip(&snapshot.services) {
            bar.set_position(service.weight.tenths().into());
            bar.set_message(format!("{:>6}  {}", service.weight.to_string(), phase_and_reason(service)));
        }
    }
}

/// The line of an act in the log.
fn act_line(act: &ActReport) -> String {
    let failed = if act.unmet.is_empty() { "" } else { "FAILED: " };
    short(format!("{}  {failed}{}", act.act, act.summary))
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
    let line = short(format!("{} {}  {}", service.service, service.weight, phase_and_reason(service)));
    let is_word = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
    let words: Vec<&str> =
        service.reason.split(" (").next().unwrap_or_default().split_whitespace().filter(is_word).collect();
    let gist = format!("{} {} {}", service.weight, words.join(" "), service.over);
    let last = printed.insert(service.service.clone(), gist.clone());
    (last != Some(gist)).then_some(line)
}

/// Cuts a text to the length of a log line; the report has the whole sentence.
fn short(line: String) -> String {
    match line.char_indices().nth(LINE_CHARACTERS) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
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
        let mut live = Live::new(false, false);
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
}
