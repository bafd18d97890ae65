//! A small reader of IAM's policies: what this template uses, and a panic at everything else.

use crossfade_rehearsal::endpoints::access::IamAccess;
use serde_json::Value as Json;

/// A statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    allow: bool,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    /// Who it is for, in the policy of a queue or a topic.
    principal: Option<String>,
    pub(super) conditions: Vec<Condition>,
}

/// One key of a condition; every one has to hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    operator: String,
    pub(super) key: String,
    /// One of them has to.
    values: Vec<String>,
}

/// The context key under which an access says who asks, where a policy names a principal.
pub(super) const PRINCIPAL: &str = "principal";

impl Statement {
    pub(super) fn of(json: &Json) -> Self {
        for (key, _) in json.as_object().unwrap() {
            assert!(["Effect", "Action", "Resource", "Principal", "Condition"].contains(&key.as_str()), "{key}");
        }
        let effect = json["Effect"].as_str().unwrap();
        assert!(["Allow", "Deny"].contains(&effect), "{effect}");
        let principal = json.get("Principal").map(|principal| principal["Service"].as_str().unwrap().to_owned());
        let conditions = json.get("Condition").and_then(Json::as_object).into_iter().flatten();
        let conditions = conditions.flat_map(|(operator, keys)| {
            let of_key = |(key, values): (&String, &Json)| Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: texts(values),
            };
            keys.as_object().unwrap().iter().map(of_key).collect::<Vec<_>>()
        });
        Self {
            allow: effect == "Allow",
            actions: texts(&json["Action"]),
            resources: texts(&json["Resource"]),
            principal,
            conditions: conditions.collect(),
        }
    }

    /// Whether it speaks of an access.
    pub(super) fn matches(&self, access: &IamAccess) -> bool {
        let action = |pattern: &String| glob(&pattern.to_lowercase(), &access.action.to_lowercase());
        self.actions.iter().any(action)
            && self.resources.iter().any(|pattern| arn_matches(pattern, &access.resource))
            && self.principal.as_ref() == access.context.get(PRINCIPAL)
            && self.conditions.iter().all(|condition| condition.holds(access))
    }

    /// The statement with one action and one resource at a time.
    pub(super) fn parts(&self) -> Vec<Self> {
        let pairs =
            self.actions.iter().flat_map(|action| self.resources.iter().map(move |resource| (action, resource)));
        pairs
            .map(|(action, resource)| Self {
                actions: vec![action.clone()],
                resources: vec![resource.clone()],
                ..self.clone()
            })
            .collect()
    }
}

impl Condition {
    /// Whether it holds where its key is not there.
    pub(super) fn may_be_missing(&self) -> bool {
        self.operator.ends_with("IfExists") || self.operator.starts_with("ForAllValues:")
    }

    /// Whether only that its key is there matters.
    pub(super) fn takes_any_value(&self) -> bool {
        self.operator == "StringLike" && self.values == ["*"]
    }

    fn holds(&self, access: &IamAccess) -> bool {
        // A key that is not there makes the other operators false.
        let Some(value) = access.context.get(&self.key) else { return self.may_be_missing() };
        if self.operator == "ForAllValues:StringLike" {
            return value.split(',').all(|one| self.values.iter().any(|wanted| glob(wanted, one)));
        }
        self.values.iter().any(|wanted| match self.operator.as_str() {
            "StringEquals" | "StringEqualsIfExists" => wanted == value,
            "StringLike" => glob(wanted, value),
            "ArnEquals" | "ArnLike" => arn_matches(wanted, value),
            other => panic!("the tests do not know the operator {other}"),
        })
    }
}

/// Whether statements together allow an access: one does, and none denies it.
pub(super) fn allows(statements: &[Statement], access: &IamAccess) -> bool {
    let speaking: Vec<&Statement> = statements.iter().filter(|statement| statement.matches(access)).collect();
    speaking.iter().any(|statement| statement.allow) && speaking.iter().all(|statement| statement.allow)
}

/// Part by part: a star does not reach over a colon into the account or the region. The last part has colons of its
/// own.
fn arn_matches(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(arn).all(|(pattern, part)| glob(pattern, part))
}

/// `*` stands for any text, `?` for one letter.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices().map(|(at, _)| &text[at..]).chain([""]).any(|text| glob(rest, text))
        }
        Some(letter) => {
            let mut letters = text.chars();
            letters.next().is_some_and(|found| letter == '?' || found == letter)
                && glob(&pattern[letter.len_utf8()..], letters.as_str())
        }
    }
}

fn texts(value: &Json) -> Vec<String> {
    let text = |value: &Json| value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned();
    value.as_array().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
}
