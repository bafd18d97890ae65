//! The calls of a run: counted, and made to fail where a test says so.

use super::port_fault::PortFault;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

/// Something that happens in the world between two calls of a function.
type Interlude = Box<dyn FnOnce() + Send>;

/// Shared by the ports of all invocations.
#[derive(Default)]
pub(crate) struct PortCalls {
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Each call's invocation, function and verb.
    made: Vec<(u64, &'static str, &'static str)>,
    /// The numbers of each invocation's calls.
    by_invocation: BTreeMap<u64, Vec<usize>>,
    /// Who called what; a call on a route says of which kind.
    callers: BTreeSet<(&'static str, &'static str)>,
    by_number: Vec<(Range<usize>, PortFault)>,
    by_verb: Vec<(&'static str, PortFault)>,
    interludes: BTreeMap<usize, Interlude>,
    injected: usize,
}

impl PortCalls {
    /// Treats the `number`-th call (from 0) with `fault`.
    pub(crate) fn at(&self, number: usize, fault: PortFault) {
        self.during(number..number + 1, fault);
    }

    /// Treats every call of a range of numbers (from 0) with `fault`.
    pub(crate) fn during(&self, numbers: Range<usize>, fault: PortFault) {
        self.log().by_number.push((numbers, fault));
    }

    /// Treats every call of a verb, such as `write_route`, with `fault` until [`PortCalls::clear`].
    pub(crate) fn always(&self, verb: &'static str, fault: PortFault) {
        self.log().by_verb.push((verb, fault));
    }

    /// Lets something happen right before the `number`-th call (from 0), while its function waits to make it.
    pub(crate) fn before(&self, number: usize, happens: impl FnOnce() + Send + 'static) {
        self.log().interludes.insert(number, Box::new(happens));
    }

    /// Removes all faults; the count continues.
    pub(crate) fn clear(&self) {
        let mut log = self.log();
        log.by_number.clear();
        log.by_verb.clear();
    }

    /// The verbs called so far, in order.
    pub(crate) fn made(&self) -> Vec<&'static str> {
        self.log().made.iter().map(|(_, _, verb)| *verb).collect()
    }

    /// The numbers of the calls of a verb so far.
    pub(crate) fn numbers_of(&self, verb: &str) -> Vec<usize> {
        self.log().made.iter().enumerate().filter(|(_, (_, _, made))| *made == verb).map(|(number, _)| number).collect()
    }

    /// The numbers of the calls that a function has made so far.
    pub(crate) fn numbers_by(&self, function: &str) -> Vec<usize> {
        self.log().made.iter().enumerate().filter(|(_, (_, by, _))| *by == function).map(|(number, _)| number).collect()
    }

    /// The verbs that one invocation has called so far, in order.
    pub(in crate::simulation) fn made_by(&self, invocation: u64) -> Vec<&'static str> {
        let log = self.log();
        log.by_invocation.get(&invocation).into_iter().flatten().map(|number| log.made[*number].2).collect()
    }

    pub(in crate::simulation) fn count(&self) -> usize {
        self.log().made.len()
    }

    /// Which function called which verb so far.
    pub(crate) fn callers(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.log().callers.clone()
    }

    /// Faults that a call has met.
    pub(in crate::simulation) fn injected(&self) -> usize {
        self.log().injected
    }

    /// Counts a call; returns its number and its fault.
    pub(in crate::simulation) fn begin(
        &self,
        invocation: u64,
        function: &'static str,
        verb: &'static str,
    ) -> (usize, Option<PortFault>) {
        let interlude = {
            let mut log = self.log();
            let number = log.made.len();
            log.interludes.remove(&number)
        };
        // Not under the lock: what happens may call ports itself.
        if let Some(happens) = interlude {
            happens();
        }
        let mut log = self.log();
        let number = log.made.len();
        log.made.push((invocation, function, verb));
        log.by_invocation.entry(invocation).or_default().push(number);
        let numbered = log.by_number.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, fault)| *fault);
        let fault =
            numbered.or_else(|| log.by_verb.iter().find(|(faulty, _)| *faulty == verb).map(|(_, fault)| *fault));
        log.injected += usize::from(fault.is_some());
        (number, fault)
    }

    /// Notes that a function called something.
    pub(in crate::simulation) fn note(&self, function: &'static str, what: &'static str) {
        self.log().callers.insert((function, what));
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}
