//! A judgement with its evidence, as people and programs read it.

use crossfade_domain::judge::{Evidence, Judgement, Parameters, Verdict, verdict};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What scripts read. Its keys are stable.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JudgementOutput<'a> {
    verdict: Verdict,
    metrics: BTreeMap<&'static str, EvidenceOutput<'a>>,
    sentence: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EvidenceOutput<'a> {
    ln_fail: Option<f64>,
    ln_pass: f64,
    bad: u64,
    window: [u64; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    pair: Option<&'a str>,
}

/// Makes one JSON object.
pub(super) fn json(judgement: &Judgement) -> Value {
    let metrics = judgement.metrics.iter().map(|(kind, evidence)| {
        let Evidence { ln_fail, ln_pass, bad, window, pair, .. } = evidence;
        let pair = pair.as_deref();
        (kind.name(), EvidenceOutput { ln_fail: *ln_fail, ln_pass: *ln_pass, bad: *bad, window: *window, pair })
    });
    let Judgement { verdict, sentence, .. } = judgement;
    json!(JudgementOutput { verdict: *verdict, metrics: metrics.collect(), sentence })
}

/// Names a verdict.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "FAIL",
        Verdict::Pass => "PASS",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// Writes the verdict and a line for each metric.
pub(super) fn text(judgement: &Judgement, parameters: &Parameters) -> String {
    let mut text = format!("{}: {}\n\n", word(judgement.verdict), judgement.sentence);
    let heading = ["metric", "harm (ln)", "fine (ln)", "minutes", "bad", "bad at new", "bad at old"].map(str::to_owned);
    let rows = judgement.metrics.iter().map(|(kind, evidence)| {
        let [new_bad, new, old_bad, old] = evidence.window;
        [
            kind.to_string(),
            evidence.ln_fail.map_or_else(|| "none".to_owned(), |ln_fail| format!("{ln_fail:.3}")),
            format!("{:.3}", evidence.ln_pass),
            evidence.pass_minutes.to_string(),
            evidence.bad.to_string(),
            format!("{new_bad} of {new}"),
            format!("{old_bad} of {old}"),
        ]
    });
    for [metric, harm, fine, minutes, bad, new, old] in std::iter::once(heading).chain(rows) {
        let row = writeln!(text, "{metric:<14}{harm:>10}{fine:>11}{minutes:>9}{bad:>9}{new:>20}{old:>20}");
        row.expect("writing to a string succeeds");
    }
    let [harm, fine] = [verdict::ln_fail_needed(judgement.metrics.len(), parameters.alpha), verdict::ln_pass_needed()];
    let (bad, minutes) = (verdict::BAD_NEEDED, verdict::PASS_MINUTES_NEEDED);
    text + &format!(
        "\nA metric rolls back at {harm:.3} of harm and {bad} bad requests; all pass at {fine:.3} of fine, {minutes} \
         minutes and harm below 0.\n"
    )
}
