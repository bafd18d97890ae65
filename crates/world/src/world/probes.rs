//! Probes: requests by the world's own router, with answers that a test chooses.

use super::World;
use crate::elbv2::{Decision, HttpRequest};
use crossfade_actions::ports::{ProbeCall, Probes};
use crossfade_domain::probe::Answer;

/// Stands for the name of any group.
pub const EVERY_GROUP: &str = "*";

impl World {
    /// From now on the targets of the group of this name answer to this path so, one answer after the other, again
    /// from the first. [`EVERY_GROUP`] is every group that no other call names. `{now}` in a body is the world's time.
    /// Any other path is answered with 200 and a fixed body.
    pub fn group_answers(&self, group: &str, path: &str, answers: Vec<Answer>) {
        self.locked().target_answers.insert((group.to_owned(), path.to_owned()), answers);
    }

    /// How many requests the targets of the group of this name have got from probes.
    pub fn probes_answered_by(&self, group: &str) -> usize {
        self.locked().probes_answered.get(group).copied().unwrap_or(0)
    }
}

#[async_trait::async_trait]
impl Probes for World {
    fn token(&self) -> String {
        "0123456789abcdef".to_owned()
    }

    async fn ask(&self, call: &ProbeCall) -> Result<Answer, String> {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let mut request = HttpRequest {
            method: call.method.to_owned(),
            query: query.to_owned(),
            ..HttpRequest::get(&call.host, path)
        };
        if let Some((name, value)) = &call.header {
            request = request.with_header(name, value);
        }
        let mut state = self.locked();
        let now = state.now;
        match state.elbv2.route(now, call.listener.as_str(), &request) {
            Decision::Forward { group, .. } => {
                let name = group.rsplit('/').nth(1).unwrap_or(&group).to_owned();
                let asked = state.probes_answered.entry(name.clone()).or_default();
                let turn = *asked;
                *asked += 1;
                let of = |group: &str| state.target_answers.get(&(group.to_owned(), path.to_owned()));
                let answers = of(&name).or_else(|| of(EVERY_GROUP)).filter(|answers| !answers.is_empty());
                let Some(answers) = answers else { return Ok(plain(200, path)) };
                let answer = answers[turn % answers.len()].clone();
                let body = String::from_utf8_lossy(&answer.body).replace("{now}", &format!("{now}, request {turn}"));
                Ok(Answer { body: body.into_bytes(), ..answer })
            }
            Decision::Unavailable { .. } => Ok(plain(503, "")),
            Decision::Redirect { status, .. } => Ok(plain(status, "")),
            Decision::Fixed { status, body, .. } => Ok(plain(status, &body)),
        }
    }
}

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), cut: false }
}
