//! Rules of composite alarms: `ALARM("a") OR (OK(b) AND NOT INSUFFICIENT_DATA(c))`.

use crate::aws_error::AwsError;
use crossfade_domain::alarms::alarm::AlarmState;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    Constant(bool),
    Is(AlarmState, String),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
    /// At least so many of the rules hold.
    AtLeast(usize, Vec<Rule>),
}

impl Rule {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let mut parser = Parser { text, rest: text.trim_start() };
        let rule = parser.or()?;
        if parser.rest.is_empty() { Ok(rule) } else { Err(parser.wrong("AND or OR")) }
    }

    pub(super) fn holds(&self, state_of: &dyn Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Constant(truth) => *truth,
            Self::Is(state, name) => state_of(name) == Some(*state),
            Self::Not(rule) => !rule.holds(state_of),
            Self::And(left, right) => left.holds(state_of) && right.holds(state_of),
            Self::Or(left, right) => left.holds(state_of) || right.holds(state_of),
            Self::AtLeast(least, rules) => rules.iter().filter(|rule| rule.holds(state_of)).count() >= *least,
        }
    }

    /// The alarms that the rule names.
    pub(super) fn children(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Is(_, name) => vec![name],
            Self::Not(rule) => rule.children(),
            Self::And(left, right) | Self::Or(left, right) => {
                let mut children = left.children();
                children.extend(right.children());
                children
            }
            Self::AtLeast(_, rules) => rules.iter().flat_map(Self::children).collect(),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn wrong(&self, expected: &str) -> AwsError {
        AwsError::validation(format!("alarm rule {}: expected {expected} before {:?}", self.text, self.rest))
    }

    fn word(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    fn or(&mut self) -> Result<Rule, AwsError> {
        let mut left = self.and()?;
        while self.word("OR") {
            left = Rule::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Rule, AwsError> {
        let mut left = self.unit()?;
        while self.word("AND") {
            left = Rule::And(Box::new(left), Box::new(self.unit()?));
        }
        Ok(left)
    }

    fn unit(&mut self) -> Result<Rule, AwsError> {
        if self.word("NOT") {
            return Ok(Rule::Not(Box::new(self.unit()?)));
        }
        if self.word("TRUE") {
            return Ok(Rule::Constant(true));
        }
        if self.word("FALSE") {
            return Ok(Rule::Constant(false));
        }
        if self.word("AT_LEAST") {
            return self.at_least();
        }
        for state in AlarmState::ALL {
            if self.word(state.as_str()) {
                return self.parenthesis().map(|name| Rule::Is(state, name));
            }
        }
        let Some(rest) = self.rest.strip_prefix('(') else { return Err(self.wrong("a state or a parenthesis")) };
        self.rest = rest.trim_start();
        let rule = self.or()?;
        self.rest = self.rest.strip_prefix(')').ok_or_else(|| self.wrong(")"))?.trim_start();
        Ok(rule)
    }

    /// `(2, ALARM, (a, b, c))`, or `(50%, NOT OK, (a, b))`: a percentage is rounded up.
    fn at_least(&mut self) -> Result<Rule, AwsError> {
        self.expect("(")?;
        let (amount, rest) = self.rest.split_once(',').ok_or_else(|| self.wrong(","))?;
        self.rest = rest.trim_start();
        let not = self.word("NOT");
        let state = AlarmState::ALL.into_iter().find(|state| self.word(state.as_str()));
        let state = state.ok_or_else(|| self.wrong("a state"))?;
        self.expect(",")?;
        let (names, rest) = self
            .rest
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'))
            .ok_or_else(|| self.wrong("a list of alarms"))?;
        self.rest = rest.trim_start();
        self.expect(")")?;
        let rules: Vec<Rule> = names
            .split(',')
            .map(|name| Rule::Is(state, named(name)))
            .map(|rule| if not { Rule::Not(Box::new(rule)) } else { rule })
            .collect();
        let amount = amount.trim();
        let least = match amount.strip_suffix('%') {
            Some(percent) => percent.parse::<usize>().ok().map(|percent| (rules.len() * percent).div_ceil(100)),
            None => amount.parse().ok(),
        };
        let least = least.filter(|least| (1..=rules.len()).contains(least));
        least.map(|least| Rule::AtLeast(least, rules)).ok_or_else(|| self.wrong("a number of its alarms"))
    }

    fn expect(&mut self, text: &str) -> Result<(), AwsError> {
        self.rest = self.rest.strip_prefix(text).ok_or_else(|| self.wrong(text))?.trim_start();
        Ok(())
    }

    /// `("name")`, `(name)` or `(arn)`; an ARN means the name at its end.
    fn parenthesis(&mut self) -> Result<String, AwsError> {
        let inner = self.rest.strip_prefix('(').ok_or_else(|| self.wrong("("))?;
        let (name, rest) = inner.split_once(')').ok_or_else(|| self.wrong(")"))?;
        self.rest = rest.trim_start();
        Ok(named(name))
    }
}

/// The name of an alarm in a rule, with or without quotes; an ARN means the name at its end.
fn named(text: &str) -> String {
    let name = text.trim().trim_matches('"').trim_matches('\'');
    name.rsplit_once(":alarm:").map_or(name, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composite_rules_combine_states() {
        let state_of = |name: &str| match name {
            "a" => Some(AlarmState::Alarm),
            "b" => Some(AlarmState::Ok),
            _ => None,
        };
        let check = |text: &str, expected: bool| {
            assert_eq!(Rule::parse(text).unwrap().holds(&state_of), expected, "{text}");
        };
        check("ALARM(\"a\")", true);
        check("ALARM(a) AND ALARM(b)", false);
        check("ALARM(b) OR (OK(b) AND NOT OK(a))", true);
        check("ALARM(arn:aws:cloudwatch:eu-west-1:1:alarm:a)", true);
        check("INSUFFICIENT_DATA(c) OR FALSE", false);
        check("AT_LEAST(1, ALARM, (a, b))", true);
        check("AT_LEAST(2, ALARM, (a, b))", false);
        check("AT_LEAST(50%, NOT OK, (\"a\", b, c)) AND OK(b)", true);
        check("AT_LEAST(100%, NOT OK, (a, b))", false);
        assert_eq!(Rule::parse("AT_LEAST(1, OK, (a, b)) OR OK(c)").unwrap().children(), ["a", "b", "c"]);
        let at_least = ["AT_LEAST(3, ALARM, (a, b))", "AT_LEAST(x, ALARM, (a))", "AT_LEAST(1, ALARM, a)"];
        for bad in at_least.into_iter().chain(["", "ALARM", "ALARM(a) b", "FIRING(a)", "(ALARM(a)"]) {
            assert!(Rule::parse(bad).is_err(), "{bad}");
        }
    }
}
