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

    /// `("name")`, `(name)` or `(arn)`; an ARN means the name at its end.
    fn parenthesis(&mut self) -> Result<String, AwsError> {
        let inner = self.rest.strip_prefix('(').ok_or_else(|| self.wrong("("))?;
        let (name, rest) = inner.split_once(')').ok_or_else(|| self.wrong(")"))?;
        self.rest = rest.trim_start();
        let name = name.trim().trim_matches('"').trim_matches('\'');
        Ok(name.rsplit_once(":alarm:").map_or(name, |(_, name)| name).to_owned())
    }
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
        for bad in ["", "ALARM", "ALARM(a) b", "FIRING(a)", "(ALARM(a)"] {
            assert!(Rule::parse(bad).is_err(), "{bad}");
        }
    }
}
