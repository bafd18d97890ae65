//! Names of services, found where nobody wrote them down.

use super::survey::GroupFound;
use crate::names::ServiceName;
use std::collections::BTreeMap;

/// The tags that name a service, the best first.
const NAMING_TAGS: [&str; 3] = ["service", "app", "Name"];

/// A name, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundName {
    /// The name, fit for a policy.
    pub name: ServiceName,
    /// Where it is from: `the tag app of users-swarm`.
    pub source: String,
}

/// The parts that most names of target groups begin or end with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affixes {
    prefix: Vec<String>,
    suffix: Vec<String>,
}

impl Affixes {
    /// The parts that more than half of these names share. A name's parts are what hyphens separate.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parts: Vec<Vec<&str>> = names.into_iter().map(|name| name.split('-').collect()).collect();
        let mut affixes = Self::default();
        while let Some(shared) = shared_by_most(&parts, |name| name.first()) {
            for name in parts.iter_mut().filter(|name| name.len() > 1 && name[0] == shared) {
                name.remove(0);
            }
            affixes.prefix.push(shared);
        }
        while let Some(shared) = shared_by_most(&parts, |name| name.last()) {
            for name in parts.iter_mut().filter(|name| name.len() > 1 && name[name.len() - 1] == shared) {
                name.pop();
            }
            affixes.suffix.push(shared);
        }
        affixes
    }

    /// The name without them. It keeps at least one part.
    pub fn strip(&self, name: &str) -> String {
        let mut parts: Vec<&str> = name.split('-').collect();
        for part in &self.prefix {
            if parts.len() > 1 && parts[0] == part {
                parts.remove(0);
            }
        }
        for part in &self.suffix {
            if parts.len() > 1 && parts[parts.len() - 1] == part {
                parts.pop();
            }
        }
        parts.join("-")
    }
}

fn shared_by_most(names: &[Vec<&str>], of: for<'a, 'b> fn(&'a [&'b str]) -> Option<&'a &'b str>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in names.iter().filter(|name| name.len() > 1).filter_map(|name| of(name)) {
        *counts.entry(part).or_default() += 1;
    }
    let (part, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count > 1 && count * 2 > names.len()).then(|| part.to_owned())
}

/// The name of the service that these groups are: by a tag, else by the groups' names.
pub fn name_of(groups: &[&GroupFound], affixes: &Affixes) -> FoundName {
    for tag in NAMING_TAGS {
        for found in groups {
            if let Some(name) = found.tags.get(tag).and_then(|value| fit(value)) {
                return FoundName { name, source: format!("the tag {tag} of {}", found.group.name) };
            }
        }
    }
    let stripped: Vec<String> = groups.iter().map(|found| affixes.strip(&found.group.name)).collect();
    let name = fit(&shared_beginning(&stripped)).or_else(|| fit(&groups[0].group.name)).unwrap_or_else(unnamed);
    FoundName { name, source: format!("the name of {}", groups[0].group.name) }
}

fn unnamed() -> ServiceName {
    ServiceName::parse("service").expect("this is a service's name")
}

/// The parts that all names begin with; the first name if there are none.
fn shared_beginning(names: &[String]) -> String {
    let parts: Vec<Vec<&str>> = names.iter().map(|name| name.split('-').collect()).collect();
    let shared = (0..parts[0].len()).take_while(|&at| parts.iter().all(|name| name.get(at) == Some(&parts[0][at])));
    match shared.count() {
        0 => names[0].clone(),
        count => parts[0][..count].join("-"),
    }
}

/// A text as a service's name, if enough of it is left.
fn fit(text: &str) -> Option<ServiceName> {
    let safe: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let begun = safe.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let cut = &begun[..begun.len().min(48)];
    ServiceName::parse(cut.trim_end_matches(['-', '_'])).ok()
}

/// Gives services of one name, or of a name that is taken, a number each. Returns which of them got one.
pub fn number_equal(names: &mut [FoundName], taken: &[String]) -> Vec<bool> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for found in names.iter() {
        *counts.entry(found.name.to_string()).or_default() += 1;
    }
    let is_shared = |name: &ServiceName| counts[name.as_str()] > 1 || taken.iter().any(|one| one == name.as_str());
    let numbered: Vec<bool> = names.iter().map(|found| is_shared(&found.name)).collect();
    let mut used = taken.to_vec();
    used.extend(names.iter().zip(&numbered).filter(|(_, number)| !**number).map(|(found, _)| found.name.to_string()));
    for (found, _) in names.iter_mut().zip(&numbered).filter(|(_, number)| **number) {
        let base = found.name.as_str();
        let base = base[..base.len().min(43)].trim_end_matches(['-', '_']).to_owned();
        let free = (1..=u32::MAX).map(|number| format!("{base}-{number}")).find(|one| !used.contains(one));
        let free = free.expect("there are more numbers than services");
        used.push(free.clone());
        found.name = ServiceName::parse(free).expect("a service's name with a number is one");
    }
    numbered
}
