//! The report of a scenario with acts: a line for each act, and the totals.

use crate::verbs::rehearse::live::clock_text;
use crossfade_rehearsal::report::{ActReport, Report, Requests};
use std::io::{self, Write};

const BEGAN: &str = "began";
const ACT: &str = "act";
const TOOK: &str = "took";

/// The most characters of a line.
const COLUMNS: usize = 80;

/// Writes a line for each act, and the totals.
pub(super) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{BEGAN:>5}  {ACT:<12}  {TOOK:>4}")?;
    for act in &report.acts {
        writeln!(out, "{}", line(act))?;
    }
    let unplayed = report.acts_planned.saturating_sub(report.acts.len());
    if unplayed > 0 {
        let acts = if unplayed == 1 { "1 more act was".to_owned() } else { format!("{unplayed} more acts were") };
        writeln!(out, "{acts} not played, because this one failed.")?;
    }
    writeln!(out, "\n{}", totals(report.services.iter().map(|service| service.requests)))?;
    for service in report.services.iter().filter(|service| service.requests.all_harmed() > 0) {
        writeln!(out, "  by {}: {}", service.service, service.requests.all_harmed())?;
    }
    writeln!(out)
}

/// ` 0:01  connect         1m  34 internal routes on 2 load balancers, 14 copies`. What is too long continues below.
fn line(act: &ActReport) -> String {
    let began = clock_text(act.began_seconds);
    let began = began.rsplit_once(':').map_or("", |(minutes, _)| minutes);
    let took = format!("{:.0}m", (act.world_seconds / 60.0).ceil());
    let beginning = format!("{began:>5}  {:<12}  {took:>4} ", act.act);
    let indent = " ".repeat(beginning.chars().count());
    let mut lines = vec![beginning];
    let failed = if act.unmet.is_empty() { "" } else { "FAILED: " };
    for word in format!("{failed}{}", act.summary).split(' ') {
        let last = lines.last_mut().expect("there is a first one");
        if last.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(indent.clone());
        }
        let last = lines.last_mut().expect("there is a first one");
        last.push(' ');
        last.push_str(word);
    }
    lines.join("\n")
}

fn totals(services: impl Iterator<Item = Requests>) -> String {
    let (mut asked, mut between, mut harmed, mut spoiled) = (0, 0, 0, 0);
    for requests in services {
        asked += requests.sent + requests.drawn;
        between += requests.internal.map_or(0, |calls| calls.sent + calls.direct + calls.direct_to_new);
        harmed += requests.all_harmed();
        spoiled += requests.all_spoiled();
    }
    format!(
        "{asked} requests of users, {between} of services to each other.\n{spoiled} spoiled by the tool, {harmed} \
         failed on a faulty new side."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_act_is_a_line_and_what_is_too_long_continues_below() {
        let act = |summary: &str, unmet: &[&str]| ActReport {
            act: "connect",
            began_seconds: 60.0,
            world_seconds: 121.0,
            counts: BTreeMap::new(),
            summary: summary.to_owned(),
            unmet: unmet.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(line(&act("34 internal routes", &[])), "00:01  connect         3m  34 internal routes");
        assert_eq!(line(&act("no routes", &["routes"])), "00:01  connect         3m  FAILED: no routes");
        let long = line(&act(&"word ".repeat(30), &[]));
        assert!(long.lines().count() > 1 && long.lines().all(|line| line.chars().count() <= 80), "{long}");
        assert!(long.lines().skip(1).all(|line| line.starts_with(&" ".repeat(27))), "{long}");
    }
}
