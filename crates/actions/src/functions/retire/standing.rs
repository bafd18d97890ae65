//! What an operator is shown of a retirement: where it is, what it waits for, and what it would do. It changes nothing.

use super::begin::planned;
use super::read::read;
use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::{Next, RetireRequest, Retirement, RetirementPreview, next, preview};

/// A retirement as it is, and what comes next.
#[derive(Debug, Clone, PartialEq)]
pub struct RetirementStanding {
    /// Its head.
    pub retirement: Retirement,
    /// What comes next, by what was read now.
    pub next: Next,
}

/// Reads a service's latest retirement and what it waits for; none if it never had one.
///
/// # Errors
/// The ledger's. What else cannot be read is what it waits for.
pub async fn retirement_standing(
    ports: &Ports,
    service: &ServiceName,
) -> Result<Option<RetirementStanding>, ActionError> {
    let retirement = ports.ledger.retirement(service).await;
    let Some(retirement) = retirement.doing(|| format!("reading the retirement of {service}"))? else {
        return Ok(None);
    };
    let seen = read(ports, &retirement, false).await?;
    let next = next(&retirement, &seen, ports.clock.now());
    Ok(Some(RetirementStanding { retirement, next }))
}

/// What a request would do: with the retirement that is under way, or else with the one that it would begin. The error
/// says why it would be refused.
///
/// # Errors
/// The ports'.
pub async fn retirement_preview(
    ports: &Ports,
    request: &RetireRequest,
) -> Result<Result<(Retirement, RetirementPreview), String>, ActionError> {
    let service = &request.service;
    let present = ports.ledger.retirement(service).await;
    let present = present.doing(|| format!("reading the retirement of {service}"))?;
    let retirement = match present {
        Some(present) if !present.phase.is_over() => present,
        previous => match planned(ports, request, previous.as_ref()).await? {
            Ok(first) => first,
            Err(refusal) => return Ok(Err(refusal)),
        },
    };
    let seen = read(ports, &retirement, true).await?;
    let shown = preview(&retirement, &seen, ports.clock.now());
    Ok(Ok((retirement, shown)))
}
