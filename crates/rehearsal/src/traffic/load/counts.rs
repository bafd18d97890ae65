//! What clients saw.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How one request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A response came.
    Received {
        /// Its status.
        status: u16,
        /// Whether a target sent it, and not the load balancer itself.
        from_target: bool,
        /// Whether that target is on the new cluster.
        from_new: bool,
    },
    /// The connection was refused or lost, or there was no response in time.
    Lost,
}

/// How a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Over a connection.
    Sent,
    /// Not sent: its outcome was drawn.
    Drawn,
}

/// Requests by how they ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Requests that were sent over a connection.
    pub sent: u64,
    /// Requests that were drawn instead of sent.
    pub drawn: u64,
    /// All responses that clients received.
    pub served: u64,
    /// Responses from the new side.
    pub served_by_new: u64,
    /// Bad responses (5xx) from the new side.
    pub harmed: u64,
    /// Responses that the tool itself spoiled: 502, 503, 504 of the load balancer, and lost or refused connections,
    /// while no fault was on.
    pub spoiled: u64,
    /// Responses by status; 0 means lost.
    pub by_status: BTreeMap<u16, u64>,
}

impl Counts {
    /// Counts one request. `excused` says that a fault was on which explains a missing response.
    pub fn add(&mut self, origin: Origin, answer: Answer, excused: bool) {
        match origin {
            Origin::Sent => self.sent += 1,
            Origin::Drawn => self.drawn += 1,
        }
        let (status, spoiled) = match answer {
            Answer::Lost => (0, true),
            Answer::Received { status, from_target, from_new } => {
                self.served += 1;
                self.served_by_new += u64::from(from_new);
                self.harmed += u64::from(from_new && status >= 500);
                (status, !from_target && matches!(status, 502..=504))
            }
        };
        self.spoiled += u64::from(spoiled && !excused);
        *self.by_status.entry(status).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harm_is_the_new_sides_and_spoiling_is_the_tools() {
        let mut counts = Counts::default();
        let received = |status, from_target, from_new| Answer::Received { status, from_target, from_new };
        counts.add(Origin::Sent, received(200, true, true), false);
        counts.add(Origin::Sent, received(500, true, true), false);
        counts.add(Origin::Sent, received(500, true, false), false);
        counts.add(Origin::Sent, received(503, false, false), false);
        counts.add(Origin::Sent, received(503, false, false), true);
        counts.add(Origin::Drawn, Answer::Lost, false);
        assert_eq!((counts.served, counts.harmed, counts.spoiled, counts.served_by_new), (5, 1, 2, 2));
        assert_eq!((counts.sent, counts.drawn, counts.by_status[&0]), (5, 1, 1));
    }
}
