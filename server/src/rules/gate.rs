use super::{Call, Caller, License, Seat, SeatState, Verdict, date};
use seatlock_protocol::{Act, Code, UnixTime};

/// Whether the call may go on to the seat: the first refusal in the protocol's order of precedence, if any.
pub(super) fn gate(
    license: &License,
    seat: &Seat,
    call: Call,
    caller: &Caller,
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
    // An old client must be able to give its seat back.
    if !matches!(call, Call::Release | Call::Confirm) && too_old(license, &caller.client) {
        return Err(Verdict::new(Code::ClientTooOld, Act::Keep));
    }
    if call.submits_token() || call == Call::Status {
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

fn too_old(license: &License, client: &str) -> bool {
    license.min_client.as_ref().is_some_and(|smallest| version(client) < version(smallest))
}

/// The leading numbers of a version such as `1.12.0-beta`; what is not a number counts as 0.
#[must_use]
pub fn version(text: &str) -> [u64; 3] {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}
