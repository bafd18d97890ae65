//! The requests of probes, and what their answers say. The function sends them, or a command outside does.

use crate::ports::{Ports, ProbeCall};
use crossfade_domain::policy::calling::Probe;
use crossfade_domain::probe::{Answer, HEADER, Outcome, ROUNDS, Round, compare};
use futures::future::join_all;
use std::time::Duration;

/// Until every node of a load balancer has a new rule. A node without it would ask the old side in the new one's place.
pub(crate) const KNOWN_AFTER: Duration = Duration::from_secs(10);
/// For how long the requests may be sent, in real time, so that the function can delete the rules before its time ends.
const ASKED_WITHIN: Duration = Duration::from_secs(30);

/// One probe through one rule.
pub(crate) struct Question<'a> {
    pub(crate) probe: &'a Probe,
    /// The request through the normal route.
    pub(crate) to_old: ProbeCall,
    /// What the rule's header says.
    pub(crate) token: &'a str,
    /// The listener, for people.
    pub(crate) through: String,
}

/// What came of a question.
pub(crate) struct Asked {
    pub(crate) outcome: Outcome,
    /// What came in place of the first answer, where neither side has answered at all.
    pub(crate) unanswered: Option<String>,
}

/// The listener of a question, for people.
pub(crate) fn through(port: u16, load_balancer: &str) -> String {
    format!("port {port} of {load_balancer}")
}

/// Asks every question, all side by side, and compares the answers.
pub(crate) async fn ask_all(ports: &Ports, questions: &[Question<'_>]) -> Vec<Asked> {
    let until = ports.clock.real() + ASKED_WITHIN;
    let asked = questions.iter().map(|question| async move {
        let rounds = ask(ports, question, until).await;
        let mut answers = rounds.iter().flat_map(|round| [&round.old[0], &round.new, &round.old[1]]);
        let first = answers.clone().next().and_then(|answer| answer.as_ref().err().cloned());
        Asked {
            unanswered: first.filter(|_| answers.all(Result::is_err)),
            outcome: Outcome {
                method: question.probe.method,
                path: question.probe.path.clone(),
                rounds: rounds.len(),
                through: question.through.clone(),
                verdict: compare(question.probe, &rounds),
            },
        }
    });
    join_all(asked).await
}

/// Asks one path in rounds: the old side, the new one, the old side again. The first that does not answer as expected
/// ends it, since nothing can then pass.
async fn ask(ports: &Ports, question: &Question<'_>, until: Duration) -> Vec<Round> {
    let Question { probe, to_old, token, .. } = question;
    let to_new = ProbeCall { header: Some((HEADER, (*token).to_owned())), ..to_old.clone() };
    let one = async |call: &ProbeCall| {
        if ports.clock.real() > until {
            return Err(format!("all probes together took longer than {} s", ASKED_WITHIN.as_secs()));
        }
        ports.probes.ask(call).await
    };
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let (before, new, after) = (one(to_old).await, one(&to_new).await, one(to_old).await);
        let expected =
            |answer: &Result<Answer, String>| answer.as_ref().is_ok_and(|answer| answer.status == probe.expect);
        let continues = [&before, &new, &after].into_iter().all(expected);
        rounds.push(Round { old: [before, after], new });
        if !continues {
            break;
        }
    }
    rounds
}
