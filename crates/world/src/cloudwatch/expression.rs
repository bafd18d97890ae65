//! Metric math: the arithmetic, comparisons and functions that guard alarms are written with.

use crate::aws_error::AwsError;
use std::collections::BTreeMap;

/// Values by the start of their period, in epoch seconds.
pub(super) type Series = BTreeMap<i64, f64>;

/// A number or a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Quantity {
    Number(f64),
    Series(Series),
    List(Vec<Quantity>),
}

/// Evaluates an expression; `resolve` gives the series of an id.
pub(super) fn evaluate(
    text: &str,
    periods: &[i64],
    resolve: &mut dyn FnMut(&str) -> Result<Series, AwsError>,
) -> Result<Series, AwsError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, at: 0, periods, resolve };
    let value = parser.comparison()?;
    if parser.at != tokens.len() {
        return Err(parser.wrong("an operator"));
    }
    match value {
        Quantity::Series(series) => Ok(series),
        Quantity::Number(number) => Ok(periods.iter().map(|period| (*period, number)).collect()),
        Quantity::List(_) => Err(parser.wrong("a single time series")),
    }
}

/// The ids that an expression refers to.
pub(super) fn ids(text: &str) -> Result<Vec<String>, AwsError> {
    Ok(tokens(text)?.into_iter().filter(|token| token.starts_with(|c: char| c.is_ascii_lowercase())).collect())
}

fn tokens(text: &str) -> Result<Vec<String>, AwsError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len())
        } else if first.is_ascii_alphabetic() {
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())
        } else if [">=", "<=", "==", "!=", "&&", "||"].iter().any(|operator| rest.starts_with(operator)) {
            2
        } else if "+-*/()[],<>".contains(first) {
            1
        } else {
            return Err(AwsError::validation(format!("expression {text}: unexpected {first:?}")));
        };
        let (token, tail) = rest.split_at(length);
        tokens.push(token.to_owned());
        rest = tail.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [String],
    at: usize,
    periods: &'a [i64],
    resolve: &'a mut dyn FnMut(&str) -> Result<Series, AwsError>,
}

impl Parser<'_> {
    fn wrong(&self, expected: &str) -> AwsError {
        let found = self.tokens.get(self.at).map_or("the end", String::as_str);
        AwsError::validation(format!("expression {}: expected {expected}, found {found}", self.text))
    }

    fn take(&mut self, wanted: &[&str]) -> Option<String> {
        let token = self.tokens.get(self.at)?;
        wanted.contains(&token.as_str()).then(|| {
            self.at += 1;
            token.clone()
        })
    }

    fn expect(&mut self, wanted: &str) -> Result<(), AwsError> {
        self.take(&[wanted]).map(drop).ok_or_else(|| self.wrong(wanted))
    }

    fn comparison(&mut self) -> Result<Quantity, AwsError> {
        let mut left = self.sum()?;
        while let Some(operator) = self.take(&[">", "<", ">=", "<=", "==", "!=", "AND", "OR", "&&", "||"]) {
            let right = self.sum()?;
            let truth = |yes: bool| Some(f64::from(u8::from(yes)));
            left = combine(&left, &right, &|a, b| match operator.as_str() {
                ">" => truth(a > b),
                "<" => truth(a < b),
                ">=" => truth(a >= b),
                "<=" => truth(a <= b),
                "==" => truth((a - b).abs() < f64::EPSILON),
                "!=" => truth((a - b).abs() >= f64::EPSILON),
                "AND" | "&&" => truth(a != 0.0 && b != 0.0),
                _ => truth(a != 0.0 || b != 0.0),
            });
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Quantity, AwsError> {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&["+", "-"]) {
            let right = self.product()?;
            left = combine(&left, &right, &|a, b| Some(if operator == "+" { a + b } else { a - b }));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Quantity, AwsError> {
        let mut left = self.unit()?;
        while let Some(operator) = self.take(&["*", "/"]) {
            let right = self.unit()?;
            left = combine(&left, &right, &|a, b| match operator.as_str() {
                "*" => Some(a * b),
                // CloudWatch gives no data point for a division by zero.
                _ => (b != 0.0).then(|| a / b),
            });
        }
        Ok(left)
    }

    fn unit(&mut self) -> Result<Quantity, AwsError> {
        if self.take(&["-"]).is_some() {
            let value = self.unit()?;
            return Ok(combine(&Quantity::Number(0.0), &value, &|a, b| Some(a - b)));
        }
        if self.take(&["("]).is_some() {
            let value = self.comparison()?;
            self.expect(")")?;
            return Ok(value);
        }
        if self.take(&["["]).is_some() {
            return Ok(Quantity::List(self.arguments("]")?));
        }
        let token = self.tokens.get(self.at).cloned().ok_or_else(|| self.wrong("a value"))?;
        if let Ok(number) = token.parse::<f64>() {
            self.at += 1;
            return Ok(Quantity::Number(number));
        }
        if !token.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.wrong("a value"));
        }
        self.at += 1;
        if token.starts_with(|c: char| c.is_ascii_lowercase()) {
            return (self.resolve)(&token).map(Quantity::Series);
        }
        self.expect("(")?;
        let arguments = self.arguments(")")?;
        self.function(&token, arguments)
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Quantity>, AwsError> {
        let mut arguments = vec![self.comparison()?];
        while self.take(&[","]).is_some() {
            arguments.push(self.comparison()?);
        }
        self.expect(end)?;
        Ok(arguments)
    }

    fn function(&self, name: &str, mut arguments: Vec<Quantity>) -> Result<Quantity, AwsError> {
        match (name, arguments.len()) {
            ("IF", 3) => {
                let otherwise = arguments.pop().expect("three arguments");
                let then = arguments.pop().expect("three arguments");
                let condition = arguments.pop().expect("three arguments");
                let mut chosen = Series::new();
                for period in self.periods {
                    let Some(truth) = at(&condition, *period) else { continue };
                    if let Some(value) = at(if truth == 0.0 { &otherwise } else { &then }, *period) {
                        chosen.insert(*period, value);
                    }
                }
                Ok(Quantity::Series(chosen))
            }
            ("FILL", 2) => {
                let filler = arguments.pop().expect("two arguments");
                let series = arguments.pop().expect("two arguments");
                let complete = self
                    .periods
                    .iter()
                    .filter_map(|period| Some((*period, at(&series, *period).or_else(|| at(&filler, *period))?)))
                    .collect();
                Ok(Quantity::Series(complete))
            }
            ("SUM" | "MAX" | "MIN", 1) => {
                let Some(Quantity::List(members)) = arguments.pop() else {
                    return Err(self.wrong("a list like [m1, m2]"));
                };
                let mut members = members.into_iter();
                let first = members.next().expect("a list has at least one member");
                Ok(members.fold(first, |left, right| {
                    combine(&left, &right, &|a, b| {
                        Some(match name {
                            "SUM" => a + b,
                            "MAX" => a.max(b),
                            _ => a.min(b),
                        })
                    })
                }))
            }
            _ => Err(AwsError::validation(format!(
                "expression {}: function {name} with {} arguments is not supported",
                self.text,
                arguments.len()
            ))),
        }
    }
}

fn at(quantity: &Quantity, period: i64) -> Option<f64> {
    match quantity {
        Quantity::Number(number) => Some(*number),
        Quantity::Series(series) => series.get(&period).copied(),
        Quantity::List(_) => None,
    }
}

fn combine(left: &Quantity, right: &Quantity, operation: &dyn Fn(f64, f64) -> Option<f64>) -> Quantity {
    match (left, right) {
        (Quantity::Number(a), Quantity::Number(b)) => {
            operation(*a, *b).map_or(Quantity::Series(Series::new()), Quantity::Number)
        }
        (Quantity::Series(series), other) => Quantity::Series(
            series.iter().filter_map(|(period, a)| Some((*period, operation(*a, at(other, *period)?)?))).collect(),
        ),
        (other, Quantity::Series(series)) => Quantity::Series(
            series.iter().filter_map(|(period, b)| Some((*period, operation(at(other, *period)?, *b)?))).collect(),
        ),
        _ => Quantity::Series(Series::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(i64, f64)]) {
        let requests = Series::from([(0, 100.0), (60, 50.0), (120, 0.0)]);
        let errors = Series::from([(60, 5.0)]);
        let got = evaluate(text, &[0, 60, 120, 180], &mut |id| match id {
            "requests" => Ok(requests.clone()),
            "errors" => Ok(errors.clone()),
            _ => Err(AwsError::validation("unknown id")),
        })
        .unwrap();
        assert_eq!(got, expected.iter().copied().collect(), "{text}");
    }

    #[test]
    fn metric_math_follows_cloudwatch() {
        check("100 * errors / requests", &[(60, 10.0)]);
        check("100*FILL(errors,0)/requests", &[(0, 0.0), (60, 10.0)]);
        check("IF(requests > 60, 1, 0)", &[(0, 1.0), (60, 0.0), (120, 0.0)]);
        check(
            "IF(FILL(requests, 0) > 0, 100 * FILL(errors, 0) / requests, 0)",
            &[(0, 0.0), (60, 10.0), (120, 0.0), (180, 0.0)],
        );
        check("SUM([errors, requests])", &[(60, 55.0)]);
        check("-errors + 2 * (3 - 1)", &[(60, -1.0)]);
    }

    #[test]
    fn a_broken_expression_says_what_was_expected() {
        let mut none = |_: &str| Ok(Series::new());
        for text in ["m1 +", "ANOMALY(m1)", "m1 m2", "(m1", "m1 % 2"] {
            assert!(evaluate(text, &[0], &mut none).is_err(), "{text}");
        }
    }
}
