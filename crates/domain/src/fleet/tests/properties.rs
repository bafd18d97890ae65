use super::fixture::{name, policy};
use super::world::World;
use crate::fleet::command::FleetCommand as C;
use crate::fleet::head::{RunOutcome, RunState as R};
use crate::fleet::outlook::FleetStep;
use crate::policy::rollout::{FailureBudget, OnStop, RetireWhen, Rollout, StopWhen};
use crate::policy::service_policy::FleetPolicy;
use crate::retirement::RetirementPhase;
use proptest::prelude::*;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

prop_compose! {
    fn a_policy()(
        after in prop::collection::vec(any::<u8>(), 3..=8),
        few in any::<u8>(),
        (concurrency, wave_size) in (1..=4_u32, prop::option::of(1..=3_u32)),
        failures in prop_oneof![(0..=3_u32).prop_map(FailureBudget::Count), Just(FailureBudget::Percent(30))],
        strict in any::<bool>(),
        within_seconds in prop_oneof![Just(0), Just(60), Just(600)],
        on_stop in prop_oneof![Just(OnStop::Hold), Just(OnStop::Finish), Just(OnStop::RollBack)],
        (canary, bake) in (any::<bool>(), prop_oneof![Just(0), Just(150)]),
        retire in prop_oneof![Just(RetireWhen::ByHand), Just(RetireWhen::AfterWave), Just(RetireWhen::AtEnd)],
    ) -> FleetPolicy {
        // Each comes after some of those that are listed before it.
        let bits = |bits: u8| (0..NAMES.len()).filter(move |place| bits & few & (1 << place) != 0);
        let before = |place: usize| bits(after[place]).filter(move |it| *it < place).map(|it| NAMES[it]).collect();
        let afters: Vec<Vec<&str>> = (0..after.len()).map(before).collect();
        let services: Vec<(&str, &[&str])> =
            afters.iter().enumerate().map(|(place, after)| (NAMES[place], after.as_slice())).collect();
        let mut policy = policy(&services);
        policy.rollout.concurrency = concurrency;
        policy.rollout.wave_size = wave_size;
        policy.rollout.failures = failures;
        policy.rollout.strict = strict;
        policy.rollout.stop_when = StopWhen { rollbacks: 2, within_seconds };
        policy.rollout.on_stop = on_stop;
        policy.rollout.canary = if canary { vec![name("a")] } else { Vec::new() };
        policy.rollout.canary_bake_seconds = 2 * bake;
        policy.rollout.wave_bake_seconds = bake;
        policy.rollout.retire = retire;
        policy
    }
}

/// What happens between two looks: to which service, what; and whether the conductor dies at the next look.
#[derive(Debug, Clone)]
enum Chance {
    Command(u8, u8),
    Happens(u8, u8),
    GoesOn(u8, u8),
    Retires(u8, u8),
    Look { dies: bool },
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let chance = prop_oneof![
        1 => (0..11_u8, 0..8_u8).prop_map(|(what, which)| Chance::Command(what, which)),
        5 => (0..8_u8, 0..11_u8).prop_map(|(which, what)| Chance::Happens(which, what)),
        5 => (0..8_u8, 0..10_u8).prop_map(|(which, how)| Chance::GoesOn(which, how)),
        3 => (0..8_u8, 0..8_u8).prop_map(|(which, how)| Chance::Retires(which, how)),
        5 => (0..4_u8).prop_map(|of_four| Chance::Look { dies: of_four == 0 }),
    ];
    prop::collection::vec(chance, 0..160)
}

fn live(policy: FleetPolicy, before: &[u8], chances: &[Chance]) -> World {
    let mut world = World::new(policy, before);
    let names: Vec<_> = world.run.head.names().cloned().collect();
    let pick = |which: u8| names[usize::from(which) % names.len()].clone();
    for chance in chances {
        if world.run.head.state == R::Over {
            break;
        }
        match chance {
            Chance::Command(what, which) => world.command(match what {
                0 => C::Pause { drain: false },
                1 => C::Pause { drain: true },
                2..=4 => C::Resume { now: false },
                5 => C::Abort,
                6 => C::RollBackAll,
                10 => C::Retire { wave: None, only: Vec::new(), until: None },
                7 => C::Skip { service: pick(*which), release_dependants: which % 2 == 0 },
                _ => C::Retry { service: pick(*which) },
            }),
            Chance::Happens(which, what) => world.happens(&pick(*which), *what),
            Chance::GoesOn(which, how) => world.goes_on(&pick(*which), *how),
            Chance::Retires(which, how) => world.retires(&pick(*which), *how),
            Chance::Look { dies } => {
                world.look(*dies);
            }
        }
    }
    world
}

/// More looks than any run of eight services takes in which everything that is started ends.
const MANY: u32 = 200;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 15 and 17, order, admission and budget are checked at every look of the world; see `World::check`.
    #[test]
    fn every_run_ends_or_says_what_it_waits_for(
        policy in a_policy(), before in prop::collection::vec(any::<u8>(), 8), chances in chances()
    ) {
        let mut world = live(policy, &before, &chances);
        for _ in 0..MANY {
            let outlook = world.look(false);
            match world.run.head.state {
                R::Over => break,
                R::Stopped if outlook.step == FleetStep::Stopped => {
                    prop_assert!(outlook.reason.contains("crossfade fleet resume eks-2026"), "{}", outlook.reason);
                    world.command(C::Resume { now: false });
                }
                R::Paused | R::Draining => {
                    prop_assert!(outlook.reason.contains("crossfade fleet resume eks-2026"), "{}", outlook.reason);
                    world.command(C::Resume { now: false });
                }
                _ => {}
            }
            // What a person has paused, a person continues.
            world.everyone_continues();
            world.everything_ends();
            world.every_retirement_goes_on();
        }
        prop_assert_eq!(world.run.head.state, R::Over, "after {:?}: {:#?}", world.age(), world.run.head);
    }

    #[test]
    fn every_service_that_migrates_is_retired_by_itself_where_nothing_fails(
        policy in a_policy(), at_end in any::<bool>(), dies in prop::collection::vec(any::<bool>(), 40)
    ) {
        let retire = if at_end { RetireWhen::AtEnd } else { RetireWhen::AfterWave };
        let rollout = Rollout { retire, ..policy.rollout.clone() };
        let mut world = World::new(FleetPolicy { rollout, ..policy }, &[]);
        for look in 0..2 * MANY {
            world.look(dies.get(usize::try_from(look).unwrap()).copied().unwrap_or(false));
            if world.run.head.state == R::Over {
                break;
            }
            world.everything_ends();
            world.every_retirement_goes_on();
        }
        prop_assert_eq!(world.run.head.outcome, Some(RunOutcome::Migrated), "{:#?}", world.run.head);
        for _ in 0..10 {
            world.every_retirement_goes_on();
        }
        for name in world.run.head.names() {
            prop_assert_eq!(world.old_side(name), Some(RetirementPhase::Deregistered), "{}", name);
        }
    }

    #[test]
    fn a_rollback_of_everything_brings_everything_back_wave_by_wave(
        policy in a_policy(), before in prop::collection::vec(any::<u8>(), 8), chances in chances()
    ) {
        let mut world = live(policy, &before, &chances);
        world.look(false);
        world.command(C::RollBackAll);
        for look in 0..MANY {
            world.look(look % 3 == 0);
            if world.run.head.state == R::Over {
                break;
            }
            world.rollbacks_end();
        }
        prop_assert_eq!(world.run.head.outcome, Some(RunOutcome::Returned), "{:#?}", world.run.head);
        let on_new = world.run.head.names().find(|name| world.is_on_new(name) && !world.is_gone(name));
        prop_assert_eq!(on_new, None, "{:#?}", world.run.head);
        let gone = world.run.head.names().find(|name| world.is_gone(name));
        let said = world.run.head.reason.clone().unwrap_or_default();
        let named = gone.is_none_or(|gone| said.contains(&format!("crossfade retire {gone} --undo")));
        prop_assert!(named, "{gone:?} is retired, and: {said}");
    }
}
