//! `crossfade policies`: what is stored.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::fleets::StoredFleet;
use crate::stack::session::Session;
use crate::stack::under_way::{ServicesUnderWay, object};
use crate::view::console::Console;
use crate::view::parts::age::age;
use crate::view::parts::lines::filled;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::ServiceName;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A stored policy, and what is under way with its services.
struct Listed {
    fleet: StoredFleet,
    stored_at: Option<Timestamp>,
    under_way: ServicesUnderWay,
}

pub(super) async fn run(session: &Session, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let stored = session.ports.ledger.policies().await;
    let mut stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
    stored.sort_by(|a, b| a.fleet.cmp(&b.fleet));
    let mut listed = Vec::new();
    for policy in stored {
        let (stored_at, fleet) = (policy.stored_at, StoredFleet::of(policy));
        let under_way = session.under_way(&fleet.name, &fleet.services()).await?;
        listed.push(Listed { fleet, stored_at, under_way });
    }
    if console.output == Output::Json {
        console.json(&listed.iter().map(Listed::object).collect::<Vec<_>>())?;
        return Ok(ExitCode::Done);
    }
    if listed.is_empty() {
        console.say("no policy is stored: `crossfade apply policy.yaml` stores one");
    }
    let (now, columns) = (session.now(), console.page.columns);
    for one in &listed {
        console.data(&one.lines(now, columns).join("\n"))?;
    }
    Ok(ExitCode::Done)
}

impl Listed {
    fn object(&self) -> Value {
        json!({
            "fleet": self.fleet.name, "storedAt": self.stored_at, "services": self.fleet.services(),
            "underWay": object(&self.under_way), "problem": self.fleet.problem,
        })
    }

    fn lines(&self, now: Timestamp, columns: usize) -> Vec<String> {
        let services = self.fleet.services();
        let count = counted(services.len(), "service");
        let stored = self.stored_at.map_or_else(
            || "stored by an earlier version".to_owned(),
            |at| format!("stored {} ago", age(seconds_between(at, now))),
        );
        let part = |text: String| filled(&text, "  ", "    ", columns);
        let mut lines = vec![format!("{}: {count}, {stored}", self.fleet.name)];
        lines.extend(self.fleet.problem.clone().into_iter().flat_map(part));
        lines.extend(self.under_way.iter().flat_map(|(name, what)| part(format!("{name}: {}", what.in_words()))));
        let at_rest: Vec<&str> =
            services.iter().filter(|name| !self.under_way.contains_key(name)).map(ServiceName::as_str).collect();
        if !at_rest.is_empty() {
            lines.extend(part(format!("nothing is under way with {}", at_rest.join(", "))));
        }
        lines
    }
}
