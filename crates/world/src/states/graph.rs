//! What only the whole machine shows: targets that exist, states that can be reached, names.

use super::definition::{Kind, Machine, Scope, State, Transition};
use super::problems::Problems;
use std::collections::BTreeSet;

/// The longest name of a state that AWS accepts, in characters.
const LONGEST_NAME: usize = 80;

/// Reports every target that does not exist, every state that cannot be reached, every name that is too long or used
/// twice, and a scope that cannot end.
pub(super) fn check(machine: &Machine, problems: &Problems) {
    let mut names = BTreeSet::new();
    check_scope(&machine.scope, "$", &mut names, problems);
}

fn check_scope<'a>(scope: &'a Scope, path: &str, names: &mut BTreeSet<&'a str>, problems: &Problems) {
    let here = |name: &str| format!("{path}.States['{name}']");
    if !scope.states.contains_key(&scope.start_at) {
        problems.report(format!("{path}.StartAt"), format!("there is no state `{}` here", scope.start_at));
    }
    let mut reached = BTreeSet::from([scope.start_at.as_str()]);
    let mut open = vec![scope.start_at.as_str()];
    while let Some(name) = open.pop() {
        let Some(state) = scope.states.get(name) else { continue };
        open.extend(state.targets().into_iter().filter(|target| reached.insert(target)));
    }
    for (name, state) in &scope.states {
        if name.chars().count() > LONGEST_NAME {
            problems.report(here(name), format!("a name has at most {LONGEST_NAME} characters"));
        }
        if !names.insert(name) {
            problems.report(here(name), "another state of this machine has the same name");
        }
        for target in state.targets() {
            if !scope.states.contains_key(target) {
                problems.report(here(name), format!("it leads to `{target}`, which does not exist here"));
            }
        }
        if !reached.contains(name.as_str()) {
            problems.report(here(name), "no state leads here");
        }
        if let Kind::Map(map) = &state.kind {
            check_scope(&map.processor, &format!("{}.ItemProcessor", here(name)), names, problems);
        }
    }
    if !scope.states.is_empty() && !scope.states.values().any(State::can_end) {
        problems.report(format!("{path}.States"), "no state ends here");
    }
}

impl State {
    /// The names of the states that can follow.
    pub fn targets(&self) -> Vec<&str> {
        let mut targets = Vec::new();
        if let Transition::Next(next) = &self.transition {
            targets.push(next.as_str());
        }
        match &self.kind {
            Kind::Choice { rules, default } => {
                targets.extend(rules.iter().map(|(_, next)| next.as_str()));
                targets.extend(default.as_deref());
            }
            Kind::Task(task) => targets.extend(task.recovery.catchers.iter().map(|catcher| catcher.next.as_str())),
            Kind::Map(map) => targets.extend(map.recovery.catchers.iter().map(|catcher| catcher.next.as_str())),
            Kind::Wait(_) | Kind::Pass { .. } | Kind::Succeed | Kind::Fail { .. } => {}
        }
        targets
    }

    fn can_end(&self) -> bool {
        self.transition == Transition::End && !matches!(self.kind, Kind::Choice { .. })
    }
}
