//! The rules of Choice states.

use super::path::ReferencePath;
use super::problems::{Fields, Problems};
use serde_json::Value;
use std::cmp::Ordering;

/// One rule of a Choice state.
#[derive(Debug, Clone)]
pub enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Compare { variable: ReferencePath, kind: Compared, accept: Accept, with: Operand },
    IsPresent { variable: ReferencePath, expected: bool },
    Is { variable: ReferencePath, holds: fn(&Value) -> bool, expected: bool },
}

/// Whether the order of left and right makes a comparison true.
type Accept = fn(Ordering) -> bool;

/// The type that both sides of a comparison must have; otherwise it is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    String,
    Numeric,
    Boolean,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Value(Value),
    Path(ReferencePath),
}

impl Rule {
    /// Reads one rule; at the top it carries `Next`, which is taken by the caller beforehand.
    pub(super) fn parse(mut fields: Fields<'_>, problems: &Problems) -> Option<Self> {
        fields.comment();
        let rule =
            if fields.has("Variable") { parse_test(&mut fields) } else { parse_combination(&mut fields, problems) };
        fields.finish();
        rule
    }

    /// Whether the rule holds; the error is the path that leads nowhere.
    pub fn holds(&self, input: &Value, context: &Value) -> Result<bool, String> {
        let at = |path: &ReferencePath| path.get(input, context).ok_or_else(|| path.to_string());
        Ok(match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(input, context)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(input, context)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(rule) => !rule.holds(input, context)?,
            Self::IsPresent { variable, expected } => variable.get(input, context).is_some() == *expected,
            Self::Is { variable, holds, expected } => holds(at(variable)?) == *expected,
            Self::Compare { variable, kind, accept, with } => {
                let left = at(variable)?;
                let right = match with {
                    Operand::Value(value) => value,
                    Operand::Path(path) => at(path)?,
                };
                kind.compare(left, right).is_some_and(accept)
            }
        })
    }
}

impl Compared {
    fn compare(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            Self::String => Some(left.as_str()?.cmp(right.as_str()?)),
            Self::Numeric => left.as_f64()?.partial_cmp(&right.as_f64()?),
            Self::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
        }
    }

    fn allows(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }
}

fn parse_combination(fields: &mut Fields<'_>, problems: &Problems) -> Option<Rule> {
    let Some(name) = ["And", "Or", "Not"].into_iter().find(|name| fields.has(name)) else {
        problems.report(&fields.path, "a rule has `Variable` and one comparison, or `And`, `Or`, `Not`");
        return None;
    };
    if name == "Not" {
        let inner = fields.take(name)?;
        let rule = Rule::parse(Fields::of(&inner, &fields.at(name), problems), problems)?;
        return Some(Rule::Not(Box::new(rule)));
    }
    let inner = fields.list(name)?;
    if inner.is_empty() {
        fields.report(name, "at least one rule is expected");
    }
    let path = fields.at(name);
    let rules = inner
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| Rule::parse(Fields::of(rule, &format!("{path}[{index}]"), problems), problems))
        .collect();
    Some(if name == "And" { Rule::And(rules) } else { Rule::Or(rules) })
}

fn parse_test(fields: &mut Fields<'_>) -> Option<Rule> {
    let variable = parse_path(fields, "Variable")?;
    let operators: Vec<String> = fields.names();
    let [operator] = operators.as_slice() else {
        fields.report("Variable", format!("exactly one comparison is expected, found {}", operators.len()));
        for operator in &operators {
            fields.take(operator);
        }
        return None;
    };
    if let Some(holds) = type_test(operator) {
        let value = fields.take(operator)?;
        let Some(expected) = value.as_bool() else {
            fields.report(operator, format!("true or false is expected, not {value}"));
            return None;
        };
        return Some(match holds {
            TypeTest::Present => Rule::IsPresent { variable, expected },
            TypeTest::Type(holds) => Rule::Is { variable, holds, expected },
        });
    }
    let (plain, by_path) = operator.strip_suffix("Path").map_or((operator.as_str(), false), |plain| (plain, true));
    let (kind, accept) = comparison(plain)?;
    let with = if by_path {
        Operand::Path(parse_path(fields, operator)?)
    } else {
        let value = fields.take(operator)?;
        if !kind.allows(&value) {
            fields.report(operator, format!("{value} has not the type of this comparison"));
            return None;
        }
        Operand::Value(value)
    };
    Some(Rule::Compare { variable, kind, accept, with })
}

fn parse_path(fields: &mut Fields<'_>, name: &str) -> Option<ReferencePath> {
    let text = fields.text(name)?;
    match ReferencePath::parse(&text) {
        Ok(path) if path.reads_context() && !path.is_known_context(fields.problems.in_map.get()) => {
            fields.report(name, format!("`{path}` is not in the portable part of the context object"));
            None
        }
        Ok(path) => Some(path),
        Err(error) => {
            fields.report(name, error.to_string());
            None
        }
    }
}

enum TypeTest {
    Present,
    Type(fn(&Value) -> bool),
}

fn type_test(operator: &str) -> Option<TypeTest> {
    Some(match operator {
        "IsPresent" => TypeTest::Present,
        "IsNull" => TypeTest::Type(Value::is_null),
        "IsString" => TypeTest::Type(Value::is_string),
        "IsNumeric" => TypeTest::Type(Value::is_number),
        "IsBoolean" => TypeTest::Type(Value::is_boolean),
        _ => return None,
    })
}

/// The operators of the subset; those on timestamps and patterns (`StringMatches`) are left out.
fn comparison(operator: &str) -> Option<(Compared, Accept)> {
    if operator == "BooleanEquals" {
        return Some((Compared::Boolean, Ordering::is_eq));
    }
    let (kind, order) = operator
        .strip_prefix("String")
        .map(|order| (Compared::String, order))
        .or_else(|| operator.strip_prefix("Numeric").map(|order| (Compared::Numeric, order)))?;
    let accept: Accept = match order {
        "Equals" => Ordering::is_eq,
        "LessThan" => Ordering::is_lt,
        "GreaterThan" => Ordering::is_gt,
        "LessThanEquals" => Ordering::is_le,
        "GreaterThanEquals" => Ordering::is_ge,
        _ => return None,
    };
    Some((kind, accept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(rule: &Value) -> Result<Rule, Vec<super::super::problems::Problem>> {
        let problems = Problems::default();
        let rule = Rule::parse(Fields::of(rule, "$", &problems), &problems);
        let problems = problems.into_vec();
        if problems.is_empty() { Ok(rule.unwrap()) } else { Err(problems) }
    }

    #[track_caller]
    fn check(rule: &Value, expected: Result<bool, &str>) {
        let input = json!({"s": "b", "t": "b", "n": 5, "b": true, "z": null, "o": {}});
        let answer = parse(rule).unwrap().holds(&input, &json!({}));
        assert_eq!(answer, expected.map_err(str::to_owned), "{rule}");
    }

    #[test]
    fn rules_answer_as_the_language_says() {
        check(&json!({"Variable": "$.s", "StringEquals": "b"}), Ok(true));
        check(&json!({"Variable": "$.s", "StringEqualsPath": "$.t"}), Ok(true));
        check(&json!({"Variable": "$.s", "StringGreaterThan": "a"}), Ok(true));
        check(&json!({"Variable": "$.n", "StringEquals": "5"}), Ok(false));
        check(&json!({"Variable": "$.n", "NumericEquals": 5.0}), Ok(true));
        check(&json!({"Variable": "$.n", "NumericLessThanEquals": 4}), Ok(false));
        check(&json!({"Variable": "$.b", "BooleanEquals": true}), Ok(true));
        check(&json!({"Variable": "$.z", "IsNull": true}), Ok(true));
        check(&json!({"Variable": "$.z", "IsPresent": true}), Ok(true));
        check(&json!({"Variable": "$.gone", "IsPresent": false}), Ok(true));
        check(&json!({"Variable": "$.gone", "IsNull": true}), Err("$.gone"));
        check(&json!({"Variable": "$.gone", "StringEquals": "x"}), Err("$.gone"));
        check(
            &json!({"And": [{"Variable": "$.gone", "IsPresent": true}, {"Variable": "$.gone", "StringEquals": "x"}]}),
            Ok(false),
        );
        check(
            &json!({"Or": [{"Variable": "$.n", "NumericEquals": 1}, {"Not": {"Variable": "$.b",
                "BooleanEquals": false}}]}),
            Ok(true),
        );
    }

    #[test]
    fn a_rule_outside_the_subset_is_refused() {
        for rule in [
            json!({"Variable": "$.s", "StringMatches": "b*"}),
            json!({"Variable": "$.s", "TimestampEquals": "2020-01-01T00:00:00Z"}),
            json!({"Variable": "$.s"}),
            json!({"Variable": "$.s", "StringEquals": 5}),
            json!({"Variable": "$.s", "StringEquals": "a", "IsPresent": true}),
            json!({"And": []}),
            json!({"StringEquals": "a"}),
            json!({"Variable": "$.s", "IsPresent": "yes"}),
        ] {
            assert!(parse(&rule).is_err(), "{rule}");
        }
    }
}
