use super::{CallerContext, License, Seat, SeatOperation, SeatState, SuppliedIds, Verdict, date};
use seatlock_protocol::{Act, Code, MachineSource, UnixTime, api::Plugin};

/// Whether the call may go on to the seat: the first refusal in the protocol's order of precedence,
/// if any.
pub(super) fn gate(
    license: &License,
    seat: &Seat,
    call: SeatOperation,
    caller: &CallerContext,
    now: UnixTime,
) -> Result<(), Verdict> {
    if caller.token_revoked || seat.state == SeatState::Closed {
        return Err(Verdict::new(Code::TokenRevoked, Act::Drop));
    }
    if license.suspended_at.is_some() {
        return Err(Verdict::new(Code::LicenseSuspended, Act::Drop));
    }
    if let Some(end) = license.expires_at.filter(|end| *end <= now) {
        return Err(Verdict::new(Code::LicenseExpired, Act::Drop).with("date", date(end)));
    }
    if !license.plan.carries_seats || !license.products.contains(&caller.product) {
        return Err(Verdict::new(Code::PlanNotEntitled, Act::Keep));
    }
    // Whatever the plug-in is, it must be able to give its seat back.
    if !matches!(call, SeatOperation::Release | SeatOperation::Confirm) {
        serves(license, &caller.plugin)?;
        if license.supplied_ids == SuppliedIds::Forbid && caller.source == MachineSource::Supplied {
            let act = if caller.epoch.is_some() { Act::Drop } else { Act::Keep };
            return Err(Verdict::new(Code::MachineIdSupplied, act));
        }
    }
    if call.submits_token() || call == SeatOperation::Status {
        terms_accepted(license, caller.terms.as_ref())?;
    }
    Ok(())
}

/// Whether `accepted` are the terms that the license asks for.
pub(super) fn terms_accepted(license: &License, accepted: Option<&String>) -> Result<(), Verdict> {
    match &license.terms {
        Some(wanted) if accepted != Some(wanted) => {
            Err(Verdict::new(Code::TermsRequired, Act::Keep).with("terms", wanted))
        }
        _ => Ok(()),
    }
}

/// Whether the license includes this version of the plug-in. One that does not say which it is, or
/// of when, is older than the vendor's first that did. `RetentionPolicy`: another version on the same computer
/// may still be good.
fn serves(license: &License, plugin: &Plugin) -> Result<(), Verdict> {
    let has = version(plugin.version.as_deref().unwrap_or_default());
    if license.min_plugin.as_ref().is_some_and(|smallest| has < version(smallest)) {
        return Err(Verdict::new(Code::PluginTooOld, Act::Keep));
    }
    match license.updates_until {
        Some(end) if plugin.released.is_some_and(|released| released > end) => {
            Err(Verdict::new(Code::UpdateNotIncluded, Act::Keep).with("date", date(end)))
        }
        _ => Ok(()),
    }
}

/// The leading numbers of a version such as `1.12.0-beta`; what is not a number counts as 0.
fn version(text: &str) -> [u64; 4] {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 4].map(|()| numbers.next().unwrap_or(0))
}
