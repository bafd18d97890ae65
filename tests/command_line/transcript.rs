//! A transcript: what was typed and printed, and the exit code, without what differs from run to run.

use super::terminal::Said;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What differs from run to run, as regular expressions with what is put in its place.
pub(super) const FILTERS: &[(&str, &str)] = &[
    (r"127\.0\.0\.1:\d+", "[endpoint]"),
    (r"\d{4}-\d\d-\d\d \(UTC\)", "[day]"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?", "[when]"),
    (r"\d\d:\d\d:\d\d", "[time]"),
    (r"\b(since|for|in|after|later|halts in) (\d+[dhms])+", "$1 [age]"),
    (r"\b(\d+[dhms])+ ago", "[age] ago"),
    (r"route back \d+s", "route back [age]"),
    (r"secondsToSafe\W+[\d.]+", "secondsToSafe\": [age]"),
    (r#""(seconds\w+|requestsADay)": \d+"#, "\"$1\": [number]"),
    (r"traffic: \d+ requests a day, \d+ a minute", "traffic: [number] requests a day, [number] a minute"),
    // How far a survey is when a second has passed.
    (r"(?m)^! reading .*: \d+ of \d+\n", ""),
    (r"(Drafted by `crossfade discover` on )\S+", "$1[day]"),
    (r"-fleet-\d{10}-", "-fleet-[number]-"),
    (r"by-hand-\d+", "by-hand-[number]"),
    // Before the ids, because a number may have sixteen digits after its point.
    (r"\[\d[\d., e-]*\]", "[data points]"),
    (r"\b[0-9a-f]{16}\b", "[id]"),
    (r"-[0-9a-f]{8}\b", "-[hash]"),
    (r"\d+ out of the last \d+ datapoin", "[n] out of the last [m] datapoin"),
    (r"Threshold Crossed: \d+ out…", "Threshold Crossed: [n] out…"),
    // It depends on the moment whether a watch begins before what was held moves again.
    (r"(?m)^! \[time\]  reports: moving\n", ""),
    // What the second run knows of the day before depends on when it begins.
    (r"\d+ % of(\s+(?:! +)?)requests on the new", "[share] % of${1}requests on the new"),
    (r"\d+\.\d requests a second now", "[rate] requests a second now"),
    (r"\d+ harmed", "[n] harmed"),
    (r"(?m)^(  \[time\]  targets: .*\n)+", "  [time]  targets: [healthy enough]\n"),
    (r"/tmp/[^ \n]*/", "[folder]/"),
    (r"counted up to \d\d:\d\d UTC", "counted up to [time] UTC"),
    (r"failed \d+ of \d+ requests?, the old one \d+ of", "failed [n] of [m] requests, the old one [n] of"),
    (r"the old one \[n\] of \d+ requests?", "the old one [n] of [m] requests"),
    // It depends on the moment whether the time in an answer changes between two requests.
    (r" Not compared, because the old side's own answers differ there: body.time of [^.\s]+\.", ""),
    // It depends on the hour whether a day ends in between.
    (r"(?m)^((?:! |  )\[time\].*\n)\[day\]\n", "$1"),
    // It depends on the moment whether a check of the gates finds the alarm before its event arrives.
    (r"(?m)^  \[time\]  gates: alarms: .*\n(  \[time\]  rolling back \(alarm event\))", "$1"),
    // It depends on the moment whether the next check is due.
    (r"; next check in \[age\]", ""),
    // The sweep may have joined the rollback.
    (
        r"(?m)^(  \[time\]  every route read back at its baseline, \d written\n)+",
        "  [time]  every route read back at its baseline\n",
    ),
    (r"second check: .*locks released", "second check: all back, locks released"),
    (r"every route back after \| \d+ s", "every route back after | [age]"),
    // Columns are as wide as the ages in them.
    (r"((?:for|in) \[age\]) {2,}", "$1  "),
    (r"(\[age\] ago) +", "$1  "),
    (r"(-5xx(?: fired)?: )[\d.]+, over", "$1[value], over"),
    // A bar says what the weight next to it says.
    (r"[\x{2588}-\x{2591}]+ +", "[bar]  "),
    (r"(orders +HALTED +)\[bar\] +\d+ %  \d/\d", "$1[weight]"),
    // It depends on the moment whether the edit is found in the middle of a shift or at the next check.
    (
        concat!(
            r"(someone else changed a route|drift): ",
            r"(default action of listener \[id\] of orders|orders:80 default): ",
            r"expected [^;\n]*(; nothing was overwritten[^\n]*)?"
        ),
        "[$2 was changed]",
    ),
    (r"(default action of listener \[id\] of orders|orders:80 default): expected [^;\n]*", "$1: [expected and found]"),
    (r"(HALTED) at \d+ %", "$1 at [weight]"),
    (r"(HALTED at \[weight\].*(?:\n.+)*?\n  steps\n)(?:[ >]{4,}\d.*\n)+", "$1  [steps]\n"),
    (r"(\d+[dhms])+ of it", "[age] of it"),
    // The column is as wide as the weights in it.
    (r"routes +live +desired", "routes  live  desired"),
    (r"(?m)^(  orders:80 default ) .*$", "$1 [weights]"),
    // Executions of fleets, and the columns and the forecast of a fleet.
    (r"-(pause|resume|skip|retry|start|rollback|abort|retire|undo|approve-deletion)-\d{13}", "-$1-[number]"),
    (r"while the new side had \d+", "while the new side had [number]"),
    (r"  (\d/\d)  (\d+[dhms])+", "  $1  [age]"),
    (r"(\d+[dhms])+ if nothing fails", "[age] if nothing fails"),
    (r"\d{4}-\d\d-\d\d\s+\d\d:\d\d UTC", "[when]"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\d\d:\d\d|\[when\])", "[when]"),
    // Groups of services that have been rolled back are deleted by and by.
    (r"(?m)^(  load balancer .*\n)+", "  [load balancers]\n"),
    (r"worst case: \d+ requests? harmed", "worst case: [n] requests harmed"),
    (r"(?m)[ ]+$", ""),
];

/// What one terminal shows.
#[derive(Default)]
pub(crate) struct Transcript {
    text: String,
    pub(crate) codes: BTreeSet<i32>,
}

impl Transcript {
    /// Records a command. Messages that begin with a time are the journal as it grows. A waiting command does not
    /// always see the same ones, and `history` has them all.
    pub(crate) fn note(&mut self, words: &str, said: &Said) {
        self.codes.insert(said.code);
        writeln!(self.text, "$ crossfade {words}").unwrap();
        for line in said.stderr.lines().filter(|line| !begins_with_a_time(line)) {
            writeln!(self.text, "! {line}").unwrap();
        }
        for line in said.stdout.lines() {
            writeln!(self.text, "{line}").unwrap();
        }
        writeln!(self.text, "[exit {}]\n", said.code).unwrap();
    }

    /// Records a command that watches, with each change that it has printed.
    pub(crate) fn note_changes(&mut self, words: &str, said: &Said) {
        let timed =
            |line: &str| if begins_with_a_time(line) { format!("[time]{}\n", &line[8..]) } else { format!("{line}\n") };
        self.note(words, &Said { stderr: said.stderr.lines().map(timed).collect(), ..said.clone() });
    }

    /// Compares the transcript with the one that is stored under this name.
    pub(crate) fn check(self, name: &str) -> BTreeSet<i32> {
        let filters = FILTERS.to_vec();
        insta::with_settings!({filters => filters, omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, self.text);
        });
        self.codes
    }
}

fn begins_with_a_time(line: &str) -> bool {
    let bytes = line.as_bytes();
    line.len() > 8 && bytes[2] == b':' && bytes[5] == b':' && bytes[..2].iter().all(u8::is_ascii_digit)
}
