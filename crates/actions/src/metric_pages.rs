//! Puts the pages of one `GetMetricData` together. This is CloudWatch's protocol, for the two that answer the port:
//! AWS's client and the world.

use crate::ports::PortError;
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use jiff::Timestamp;

/// Puts the pages of one `GetMetricData` together.
#[derive(Debug)]
pub struct MetricPages<'a> {
    queries: &'a [MetricQuery],
    points: Vec<DataPoints>,
    statuses: Vec<Option<String>>,
}

const GET: &str = "GetMetricData";

impl<'a> MetricPages<'a> {
    /// No page yet.
    pub fn new(queries: &'a [MetricQuery]) -> Self {
        Self { queries, points: vec![DataPoints::new(); queries.len()], statuses: vec![None; queries.len()] }
    }

    /// The id of the query at a place, which begins with a lower-case letter, as CloudWatch wants it.
    pub fn id(place: usize) -> String {
        format!("q{place}")
    }

    /// Adds one result of a page. A query's last status counts: every page but the last is a part.
    pub fn add(&mut self, id: &str, status: Option<&str>, points: impl IntoIterator<Item = (Timestamp, f64)>) {
        let place = id.strip_prefix('q').and_then(|place| place.parse::<usize>().ok());
        if let Some(place) = place.filter(|place| *place < self.queries.len()) {
            self.points[place].extend(points);
            self.statuses[place] = status.map(str::to_owned);
        }
    }

    /// The answers in the order of the queries.
    ///
    /// # Errors
    /// `Denied` where CloudWatch forbids one of them, `Unavailable` where one is not complete.
    pub fn finish(self) -> Result<Vec<DataPoints>, PortError> {
        for (query, status) in self.queries.iter().zip(&self.statuses) {
            let (operation, object) = (GET, query.to_string());
            match status.as_deref() {
                Some("Complete") => {}
                Some("Forbidden") => {
                    return Err(PortError::Denied { operation, object, detail: "StatusCode is Forbidden".to_owned() });
                }
                Some(status) => {
                    return Err(PortError::Unavailable {
                        operation,
                        object,
                        detail: format!("StatusCode is {status}"),
                    });
                }
                None => {
                    return Err(PortError::Unavailable { operation, object, detail: "no answer to it".to_owned() });
                }
            }
        }
        Ok(self.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::names::LoadBalancerArn;

    fn queries() -> Vec<MetricQuery> {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/public/1";
        let of = |metric| MetricQuery {
            metric,
            load_balancer: LoadBalancerArn::parse(arn).unwrap(),
            group: None,
            period_seconds: 60,
            statistic: "Sum".to_owned(),
        };
        vec![of("RequestCount"), of("HTTPCode_ELB_5XX_Count")]
    }

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_second(60 * number).unwrap()
    }

    #[test]
    fn pages_are_put_together_in_the_order_of_the_queries() {
        let queries = queries();
        let mut pages = MetricPages::new(&queries);
        pages.add("q1", Some("PartialData"), [(minute(0), 1.0)]);
        pages.add("q0", Some("Complete"), []);
        pages.add("q7", Some("InternalError"), [(minute(0), 9.0)]);
        pages.add("q1", Some("Complete"), [(minute(1), 2.0)]);
        assert_eq!(pages.finish().unwrap(), [vec![], vec![(minute(0), 1.0), (minute(1), 2.0)]]);
    }

    #[test]
    fn one_answer_that_is_not_complete_spoils_them_all() {
        let queries = queries();
        for status in [Some("PartialData"), Some("InternalError"), Some("Forbidden"), None] {
            let mut pages = MetricPages::new(&queries);
            pages.add("q0", Some("Complete"), []);
            if status.is_some() {
                pages.add("q1", status, []);
            }
            let error = pages.finish().unwrap_err();
            assert_eq!(error.is_transient(), status != Some("Forbidden"), "{error}");
            assert!(error.to_string().contains("Sum of HTTPCode_ELB_5XX_Count of public"), "{error}");
        }
    }
}
