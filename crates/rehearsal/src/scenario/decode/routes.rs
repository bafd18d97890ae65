//! Decodes the routes of a service.

use super::{list, narrow};
use crate::scenario::{Match, RouteScenario};
use crossfade_domain::policy::reader::{Place, Reader};

pub(in crate::scenario) const ROUTE_FIELDS: [&str; 9] =
    ["loadBalancer", "default", "host", "path", "count", "oidc", "stickiness", "oldWeight", "others"];
/// Stands for the number of a route if `count` asks for several.
const NUMBER: &str = "{n}";

pub(super) fn plain(load_balancer: &str) -> RouteScenario {
    RouteScenario {
        load_balancer: load_balancer.to_owned(),
        matches: Match::Default,
        oidc: false,
        stickiness_seconds: None,
        old_weight: 1,
        others: Vec::new(),
    }
}

/// Decodes one route, or as many as `count` says; `{n}` is the number of each.
pub(super) fn routes(reader: &mut Reader, place: &Place<'_>, load_balancers: &[String]) -> Option<Vec<RouteScenario>> {
    let fields = reader.object(place, &ROUTE_FIELDS, "a route")?;
    let load_balancer = match fields.get("loadBalancer") {
        None => Some(load_balancers[0].clone()),
        Some(place) => reader.text(&place, "the name of a load balancer").filter(|name| {
            let known = load_balancers.contains(name);
            if !known {
                reader.note(
                    &place.path,
                    format!("{name:?} is not one of the service's load balancers: {}", load_balancers.join(", ")),
                );
            }
            known
        }),
    };
    let host = fields.get("host").map(|place| reader.text(&place, "a host name").map(Match::Host));
    let path = fields.get("path").map(|place| reader.text(&place, "a path pattern").map(Match::Path));
    let default = fields.get("default").map(|place| reader.flag(&place).map(|_| Match::Default));
    let mut matches = [host, path, default].into_iter().flatten();
    let (condition, more) = (matches.next(), matches.next().is_some());
    if condition.is_none() || more {
        reader.note(&place.path, "expected exactly one of `default: true`, `host` or `path`");
    }
    let oidc = fields.get("oidc").map_or(Some(false), |place| reader.flag(&place));
    let stickiness = fields.get("stickiness").map(|place| reader.whole(&place, 1, 604_800));
    let old_weight = fields.get("oldWeight").map_or(Some(1), |place| reader.whole(&place, 0, 999));
    let others = list(reader, &fields, "others", |reader, place| {
        let fields = reader.object(place, &["name", "weight"], "another target group of the action")?;
        let name =
            reader.required(&fields, "name", "a target group's name").and_then(|place| reader.text(&place, "a name"));
        let weight = reader.required(&fields, "weight", "0 to 999").and_then(|place| reader.whole(&place, 0, 999));
        Some((name?, narrow(weight?)))
    });
    let count = fields.get("count").map_or(Some(1), |place| reader.whole(&place, 1, 90));
    let condition = condition??;
    let numbered = matches!(&condition, Match::Host(text) | Match::Path(text) if text.contains(NUMBER));
    if count? > 1 && !numbered {
        reader.note(fields.path_of("count"), format!("expected `{NUMBER}` in the `host` or `path` of counted routes"));
    }
    let one = RouteScenario {
        load_balancer: load_balancer?,
        matches: condition,
        oidc: oidc?,
        stickiness_seconds: match stickiness {
            None => None,
            Some(seconds) => Some(seconds?),
        },
        old_weight: narrow(old_weight?),
        others: others?,
    };
    let numbered = |number: u32| {
        let matches = match &one.matches {
            Match::Default => Match::Default,
            Match::Host(host) => Match::Host(host.replace(NUMBER, &number.to_string())),
            Match::Path(path) => Match::Path(path.replace(NUMBER, &number.to_string())),
        };
        RouteScenario { matches, ..one.clone() }
    };
    Some((1..=count?).map(numbered).collect())
}
