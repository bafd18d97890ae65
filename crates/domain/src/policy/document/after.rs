//! The order of services: `after` names services of the fleet and never leads back to where it began.

use crate::names::ServiceName;
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Place, Reader};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Notes services that `after` does not find, and every circle once, at the service of it that comes first.
pub(super) fn check(reader: &mut Reader, services: &[(Place<'_>, Option<ServiceName>)]) {
    let known: BTreeSet<&str> = services.iter().flat_map(|(_, name)| name).map(ServiceName::as_str).collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (place, name) in services {
        for (path, after) in named(place) {
            if known.contains(after) {
                if let Some(name) = name {
                    edges.entry(name.as_str()).or_default().push(after);
                }
            } else if ServiceName::parse(after).is_ok() {
                let near = did_you_mean(after, known.iter().copied());
                reader.note(path, format!("{after:?} is no service of this fleet{near}"));
            }
        }
    }
    let mut in_a_circle: Vec<&str> = Vec::new();
    for (place, name) in services {
        let Some(name) = name.as_ref().map(ServiceName::as_str) else { continue };
        if in_a_circle.contains(&name) {
            continue;
        }
        if let Some(circle) = way_back_to(name, &edges) {
            let message = match circle.as_slice() {
                [alone] => format!("{alone} cannot come after itself"),
                _ => format!("a circle: {} after {name}; none of them could be first", circle.join(" after ")),
            };
            reader.note(format!("{}.after", place.path), message);
            in_a_circle.extend(circle);
        }
    }
}

fn named<'a>(place: &Place<'a>) -> Vec<(String, &'a str)> {
    let path = format!("{}.after", place.path);
    match place.value.get("after") {
        Some(Value::String(name)) => vec![(path, name.as_str())],
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| Some((format!("{path}[{index}]"), item.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// The services on the shortest way from `start` to itself, `start` first.
fn way_back_to<'a>(start: &'a str, edges: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(service) = queue.pop_front() {
        for next in edges.get(service).into_iter().flatten() {
            if *next == start {
                let mut circle = vec![service];
                while let Some(earlier) = circle.last().and_then(|last| came_from.get(last)) {
                    circle.push(earlier);
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, service);
                queue.push_back(next);
            }
        }
    }
    None
}
