//! The first service: the pages that lead there, in the world of its rehearsal.

use super::super::fleet::until_it_says;
use super::super::terminal::{Kept, policy_file};
use super::Reading;
use super::reader::Reader;
use super::typed::{Content, items};
use crate::repository::read;
use std::time::Duration;

pub(super) const READINGS: [Reading; 3] =
    [("docs/first-service.md", first_service), ("docs/first-steps.md", first_steps), ("docs/rehearsal.md", rehearsal)];

/// The scenario of `docs/first-service.md`, faster than people type.
pub(super) fn world() -> Kept {
    let scenario = read("examples/rehearsals/first-service.yaml").replace("scale: 60\n", "scale: 600\n");
    let kept = Kept::with_balancers(&scenario, &["internal"]);
    // The old targets become healthy, and every service has been called.
    kept.let_pass(Duration::from_mins(2));
    kept
}

fn first_service(reader: &mut Reader<'_>) {
    reader.section("First on a laptop");
    reader.section("1. Install Crossfade");
    reader.section("2. Check the account");
    reader.section("4. Find out what exists");
    let draft = reader.file("policy.yaml");
    assert!(draft.contains("  - name: bookings"), "someone deletes it: {draft}");
    reader.saves("policy.yaml", str::to_owned);
    reader.section("5. Write the policy");
    reader.types("crossfade connect --all", 0);
    let internal = reader.kept.address_of("internal");
    reader.types_with("crossfade wiring --check", &format!(" --connect-to {internal}"), 0);
    reader.section("6. Give callers a route that can be split");
    reader.section("7. Read the plan");
    reader.section("8. Write the manifests");
    reader.section("9. Start, then deploy");
    until_it_says(reader.kept, "status users", &["baking at 10 %"]);
    reader.section("10. Watch it");
    assert_eq!(reader.kept.run("wait users").code, 0);
    reader.section("11. Go back once, on purpose");
    reader.section("12. Retire the old side");
}

fn policy_of_the_first_service() -> String {
    let contents = items(&read("docs/first-service.md")).into_iter().map(|item| item.content);
    let mut documents = contents.filter_map(|content| match content {
        Content::Document(text) => Some(text),
        Content::Command { .. } => None,
    });
    documents.next().expect("the page has a policy")
}

fn first_steps(reader: &mut Reader<'_>) {
    reader.writes("policy.yaml", &policy_of_the_first_service());
    reader.types("crossfade discover --merge", 0);
    // They differ by what was added, which the reader completes.
    reader.types("diff", 1);
    let merged = reader.file("merged.yaml");
    let (before, added) = merged.split_once("newTargets: {}").unwrap();
    let (_, after) = added.split_once('\n').unwrap();
    let completed = "newTargets: { binding: { namespace: prod, service: bookings, port: 8080 } }\n    calls: [users]\n";
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", &format!("{before}{completed}{after}"));
    assert_eq!(reader.kept.run(&format!("apply {file}")).code, 0);
    reader.section("Connect");
    reader.section("Tell the callers");
    reader.section("Deploy");
}

fn rehearsal(reader: &mut Reader<'_>) {
    reader.types_the_rest();
}
