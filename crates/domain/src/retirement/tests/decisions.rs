//! What comes next in each state.

use super::*;
use crate::planner::fixture::forward;
use crate::windows::Closed;

/// A look at an old side that is idle.
fn idle(retirement: &Retirement) -> Seen {
    let window = idle_window(zero(), 24 * 3_600, zero() + days(8)).unwrap();
    Seen { idle: Some((window, Idle::Idle("no request".into()))), ..seen(retirement, false) }
}

fn late() -> Timestamp {
    zero() + days(8)
}

#[track_caller]
fn waits(next: &Next, words: &str) {
    let Next::Wait { reason, .. } = next else { panic!("expected to wait for {words:?}, found {next:?}") };
    assert!(reason.contains(words), "{words:?} in {reason:?}");
}

fn detaching() -> Retirement {
    let kind = RetirementEventKind::DetachIntended { proof: "idle".into(), window: None };
    after(&begun(), kind, late())
}

fn watching() -> Retirement {
    after(&detaching(), RetirementEventKind::Detached, late())
}

fn deregistering() -> Retirement {
    let records = records().into_values().collect();
    after(&watching(), RetirementEventKind::DeregisterIntended { records }, late())
}

fn deregistered(terms: &Retire) -> Retirement {
    let mut head = after(&deregistering(), RetirementEventKind::Deregistered, late());
    head.plan.terms = terms.clone();
    head
}

fn empty(retirement: &Retirement) -> Seen {
    let mut seen = seen(retirement, true);
    seen.registered.values_mut().for_each(Vec::clear);
    seen
}

#[test]
fn invariant_12_nothing_is_detached_before_the_old_side_is_kept_proven_idle_approved_and_allowed() {
    let retirement = begun();
    let good = idle(&retirement);
    let Next::Do(Doing::IntendDetach { proof, window: Some(_) }) = next(&retirement, &good, late()) else {
        panic!("expected a detach")
    };
    assert!(proof.contains("directCallers is waived: asked its owner"), "{proof}");
    waits(&next(&retirement, &good, zero() + days(6)), "keeps the old side");
    let with = |idle| Seen { idle: good.idle.clone().map(|(window, _)| (window, idle)), ..good.clone() };
    waits(&next(&retirement, &with(Idle::InUse("3 requests".into())), late()), "in use: 3 requests");
    waits(&next(&retirement, &with(Idle::CannotTell("no data".into())), late()), "cannot tell: no data");
    let silent = with(Idle::NoTraffic("nobody called".into()));
    assert!(matches!(next(&retirement, &silent, late()), Next::Approve { what: Approval::NoTraffic, .. }));
    let not_yet = Seen { idle: None, window_over_at: Some(late() + days(1)), ..good.clone() };
    waits(&next(&retirement, &not_yet, late()), "has to be idle until");
    let unread = Seen { unreadable: Some("CloudWatch did not answer".into()), ..good.clone() };
    waits(&next(&retirement, &unread, late()), "did not answer");
    let closed = Closed { until: Some(late() + days(1)), why: "frozen: year end".into() };
    waits(&next(&retirement, &Seen { closed: Some(closed), ..good.clone() }, late()), "year end");
    let alarming = Seen { breaks: vec!["alarm users-p95 watches users-public".into()], ..good.clone() };
    assert!(matches!(next(&retirement, &alarming, late()), Next::Approve { what: Approval::Detach, .. }));
    let accepted =
        RetirementEventKind::Approved { what: Approval::Detach, accepted: alarming.breaks.clone(), who: "anna".into() };
    let approved = after(&retirement, accepted, late());
    assert!(matches!(next(&approved, &alarming, late()), Next::Do(Doing::IntendDetach { .. })));
    let more = Seen { breaks: vec!["another alarm".into()], ..good.clone() };
    assert!(matches!(next(&approved, &more, late()), Next::Approve { .. }), "it is another list");
    let elsewhere = Seen { elsewhere: vec!["rule 9 of public".into()], ..good.clone() };
    assert!(matches!(next(&retirement, &elsewhere, late()), Next::Do(Doing::Refuse(_))));
}

#[test]
fn the_hook_is_called_before_anything_is_proven_and_waivers_stand_for_the_load_balancers_counts() {
    let mut retirement = begun();
    retirement.plan.hook = Some("crossfade-hook-retire".into());
    assert!(matches!(next(&retirement, &idle(&retirement), late()), Next::Hook { .. }));
    let answered = after(&retirement, RetirementEventKind::HookAnswered { answer: "ok".into() }, late());
    assert!(matches!(next(&answered, &idle(&retirement), late()), Next::Do(Doing::IntendDetach { .. })));
    let mut terms = vouched();
    terms.waive.push(Waiver { evidence: Evidence::LoadBalancer, why: "it has no targets any more".into() });
    let waived = begun_with(&terms);
    let Next::Do(Doing::IntendDetach { proof, window: None }) = next(&waived, &seen(&waived, false), late()) else {
        panic!("expected a detach")
    };
    assert!(proof.contains("it has no targets any more"), "{proof}");
}

#[test]
fn only_routes_that_name_the_old_group_are_written_and_a_foreign_edit_begins_the_undo() {
    let retirement = detaching();
    let mut half = seen(&retirement, false);
    let first = &retirement.plan.routes[0];
    half.live.insert(first.id.clone(), first.detached.clone());
    let Next::Do(Doing::Detach(routes)) = next(&retirement, &half, late()) else { panic!("expected writes") };
    assert_eq!(routes.len(), retirement.plan.routes.len() - 1);
    assert_eq!(next(&retirement, &seen(&retirement, true), late()), Next::Do(Doing::ConfirmDetached));
    half.live.insert(first.id.clone(), forward(&[("users-public", 1)]));
    assert!(matches!(next(&retirement, &half, late()), Next::Do(Doing::BeginUndo(_))));
}

#[test]
fn invariant_12_targets_stay_until_the_watch_is_over_and_nobody_attached_the_group_again() {
    let retirement = watching();
    let quiet = Seen { after_detach: Some(AfterDetach::Quiet), ..seen(&retirement, true) };
    let over = late() + SignedDuration::from_secs(480);
    waits(&next(&retirement, &quiet, over - SignedDuration::from_secs(1)), "watched until");
    assert_eq!(next(&retirement, &quiet, over), Next::Do(Doing::IntendDeregister));
    waits(&next(&retirement, &Seen { after_detach: None, ..quiet.clone() }, over), "cannot be read");
    let elsewhere = Seen { elsewhere: vec!["rule 9 of internal".into()], ..quiet.clone() };
    waits(&next(&retirement, &elsewhere, over), "attached an old target group of users again: rule 9 of internal");
    waits(&next(&retirement, &seen(&retirement, false), over), "again");
    let worse = Seen { after_detach: Some(AfterDetach::Worse("12 errors".into())), ..quiet };
    assert_eq!(next(&retirement, &worse, late()), Next::Do(Doing::BeginUndo("12 errors".into())));
}

#[test]
fn invariant_12_draining_is_over_before_the_groups_count_as_deregistered() {
    let retirement = deregistering();
    let Next::Do(Doing::Deregister(groups)) = next(&retirement, &seen(&retirement, true), late()) else {
        panic!("expected to deregister")
    };
    assert_eq!(groups.len(), 2);
    let again = next(&retirement, &seen(&retirement, true), late() + SignedDuration::from_mins(11));
    waits(&again, "registers them again; stop it");
    let mut draining = empty(&retirement);
    draining.registered.insert(group("users-public"), targets(HealthState::Draining));
    waits(&next(&retirement, &draining, late()), "draining");
    assert_eq!(next(&retirement, &empty(&retirement), late()), Next::Do(Doing::ConfirmDeregistered));
    waits(&next(&retirement, &seen(&retirement, false), late()), "again");
}

#[test]
fn the_end_is_deregistered_unless_a_deletion_was_asked_for_and_approved_by_itself() {
    let resting = deregistered(&vouched());
    let Next::Rest { reason } = next(&resting, &empty(&resting), late()) else { panic!("expected a rest") };
    assert!(reason.contains("--until deleted") && !reason.contains("internal route"), "{reason}");
    let mut connected = resting.clone();
    connected.plan.internal_route = true;
    let Next::Rest { reason } = next(&connected, &empty(&connected), late()) else { panic!("expected a rest") };
    assert!(reason.contains("`crossfade connect users --undo`"), "{reason}");
    let deleting = deregistered(&Retire { until: Until::Deleted, ..vouched() });
    assert!(matches!(next(&deleting, &empty(&deleting), late()), Next::Approve { what: Approval::Delete, .. }));
    let approve = |head| {
        let kind = RetirementEventKind::Approved { what: Approval::Delete, accepted: Vec::new(), who: "anna".into() };
        after(head, kind, late())
    };
    let approved = approve(&deleting);
    assert_eq!(next(&approved, &empty(&approved), late()), Next::Do(Doing::IntendDelete));
    let mut registered = empty(&approved);
    registered.registered.insert(group("users-public"), targets(HealthState::Unused));
    waits(&next(&approved, &registered, late()), "registers targets in users-public again");
    waits(&next(&approved, &seen(&approved, false), late()), "again");
    let frozen = Seen { closed: Some(Closed { until: None, why: "frozen".into() }), ..empty(&approved) };
    waits(&next(&approved, &frozen, late()), "frozen");
}

#[test]
fn invariant_19_what_is_deleted_was_recorded_with_its_targets_and_an_undo_comes_too_late_only_then() {
    let head = deregistered(&vouched());
    let without_targets = records().into_values().map(|record| GroupRecord { targets: Vec::new(), ..record });
    let deleting = after(&head, RetirementEventKind::DeleteIntended { records: without_targets.collect() }, late());
    assert!(deleting.plan.groups.iter().all(|group| group.record.targets.len() == 3));
    let undo = || RetirementEventKind::UndoBegun { reason: "anna".into() };
    assert!(deleting.apply(&deleting.next_event(undo(), late())).is_err());
    assert_eq!(after(&begun(), undo(), late()).phase, RetirementPhase::Undone, "nothing was changed yet");
    for before in [detaching(), watching(), deregistering(), head] {
        let undoing = after(&before, undo(), late());
        assert_eq!((undoing.phase, undoing.generation), (RetirementPhase::Undoing, before.generation + 1));
    }
    let gone = Seen { registered: BTreeMap::new(), ..empty(&deleting) };
    assert_eq!(next(&deleting, &gone, late()), Next::Do(Doing::ConfirmDeleted));
    assert!(matches!(next(&deleting, &empty(&deleting), late()), Next::Do(Doing::Delete(_))));
    let given_up = next(&deleting, &empty(&deleting), late() + SignedDuration::from_mins(11));
    assert!(matches!(given_up, Next::Do(Doing::GiveDeletionUp(_))));
}

#[test]
fn invariant_19_an_undo_registers_what_was_recorded_and_attaches_it_and_looks_a_second_time() {
    let undo = |head: &Retirement| after(head, RetirementEventKind::UndoBegun { reason: "anna".into() }, late());
    // The targets of a group that is only detached are its owner's.
    let detached = undo(&watching());
    let mut scaled_in = seen(&detached, true);
    scaled_in.registered.insert(group("users-public"), Vec::new());
    let Next::Do(Doing::Return { feeds, groups, routes }) = next(&detached, &scaled_in, late()) else {
        panic!("expected a return")
    };
    assert_eq!((feeds.len(), groups.len(), routes.len()), (0, 0, detached.plan.routes.len()));
    let undoing = undo(&deregistering());
    let Next::Do(Doing::Return { feeds, groups, routes }) = next(&undoing, &empty(&undoing), late()) else {
        panic!("expected a return")
    };
    assert_eq!((feeds.len(), groups.len(), routes.len()), (0, 2, undoing.plan.routes.len()));
    assert_eq!(next(&undoing, &seen(&undoing, false), late()), Next::Do(Doing::ConfirmReturned));
    let returned = after(&undoing, RetirementEventKind::Returned, late());
    waits(&next(&returned, &seen(&returned, false), late()), "a last look");
    let settled = late() + SignedDuration::from_secs(90);
    assert!(matches!(next(&returned, &empty(&returned), settled), Next::Do(Doing::Return { .. })), "a late write");
    assert_eq!(next(&returned, &seen(&returned, false), settled), Next::Do(Doing::End { left: Vec::new() }));
}

#[test]
fn an_undo_keeps_what_someone_else_has_made_of_a_route_and_names_a_group_that_is_gone() {
    let undoing = after(&deregistering(), RetirementEventKind::UndoBegun { reason: "anna".into() }, late());
    let returned = after(&undoing, RetirementEventKind::Returned, late() - days(1));
    let mut seen = seen(&returned, false);
    seen.registered.remove(&group("users-internal"));
    for route in &returned.plan.routes {
        if returned.plan.groups[1].load_balancer.name() == "internal" && route.id.as_str().contains("internal") {
            seen.live.insert(route.id.clone(), route.detached.clone());
        }
    }
    let first = &returned.plan.routes[0];
    seen.live.insert(first.id.clone(), forward(&[("elsewhere", 1)]));
    let Next::Do(Doing::End { left }) = next(&returned, &seen, late()) else { panic!("expected an end") };
    let left = left.join("\n");
    assert!(left.contains("changed by someone else: elsewhere"), "{left}");
    assert!(left.contains("users-internal is gone; create it again with: group=$(aws elbv2"), "{left}");
    let halted = after(&returned, RetirementEventKind::Undone { left: vec![left] }, late());
    assert_eq!(halted.phase, RetirementPhase::Halted);
}

#[test]
fn a_retirement_holds_the_routes_only_while_it_may_write_to_them() {
    let held = |head: &Retirement| head.held_routes().count();
    let all = begun().plan.routes.len();
    assert_eq!((held(&begun()), held(&detaching()), held(&watching()), held(&deregistering())), (0, all, all, all));
    assert_eq!(held(&deregistered(&vouched())), 0);
    assert_eq!(begun().lock_id().as_str(), "users.retirement-1");
}

#[test]
fn every_event_is_stored_and_read_as_it_was() {
    let mut head = begun();
    let records: Vec<GroupRecord> = records().into_values().collect();
    let kinds = [
        RetirementEventKind::DetachIntended { proof: "idle".into(), window: None },
        RetirementEventKind::Detached,
        RetirementEventKind::DeregisterIntended { records: records.clone() },
        RetirementEventKind::Deregistered,
        RetirementEventKind::DeleteIntended { records },
        RetirementEventKind::DeletionGivenUp { reason: "in use".into() },
        RetirementEventKind::UndoBegun { reason: "anna".into() },
        RetirementEventKind::Returned,
        RetirementEventKind::Undone { left: Vec::new() },
    ];
    for kind in kinds {
        let event = head.next_event(kind, late());
        let read: RetirementEvent = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(read, event);
        head = head.apply(&event).unwrap();
        let read: Retirement = serde_json::from_str(&serde_json::to_string(&head).unwrap()).unwrap();
        assert_eq!(read, head);
    }
    assert_eq!(head.phase, RetirementPhase::Undone);
}
