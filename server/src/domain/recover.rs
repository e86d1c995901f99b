use super::{AuditEvent, CallerContext, Holding, LostLease, SeatState, Verdict, decide::Draft};
use seatlock_protocol::Act;

impl Draft<'_> {
    /// T15. A lease of the lost time proves that its machine holds a seat which the restored
    /// database believes free, or with a machine that had it earlier. Who took the seat since
    /// the mark keeps it.
    pub(super) fn recover(&mut self, caller: &CallerContext) -> Result<(), Verdict> {
        let Some(lost) = self.lost(caller) else { return Ok(()) };
        let later = lost.epoch >= self.known;
        let holds = match &self.seat.state {
            SeatState::InUse(holding) => {
                later && holding.machine != caller.machine && holding.since <= lost.marked
            }
            SeatState::Released(Some(left)) => left.machine != caller.machine,
            SeatState::Released(None) | SeatState::NeverUsed => true,
            SeatState::Closed => false,
        };
        if !holds {
            return Ok(());
        }
        self.check_place()?;
        // Whoever is left without the seat was given a lease of it since the mark, which lives on.
        if self.seat.holding().is_some_and(|left| left.last_ping > lost.marked && left.lease_until > self.now)
        {
            self.suspect_clone(caller);
        }
        let (machine, since) = (caller.machine.clone(), lost.iat);
        let (source, lease_until) = (caller.source, lost.exp);
        let holding = Holding { machine: machine.clone(), source, since, last_ping: since, lease_until };
        self.enter(SeatState::InUse(holding));
        self.seat.epoch = if later { self.seat.epoch.max(lost.epoch) } else { self.seat.epoch + 1 };
        self.record(AuditEvent::Recovered, Some(machine));
        Ok(())
    }

    /// The living lease of the lost time that the caller shows for this seat. What its owner has
    /// taken from its machine since counts more. An epoch that is equal was raised to the
    /// lease's, by an earlier call.
    pub(super) fn lost<'c>(&self, caller: &'c CallerContext) -> Option<&'c LostLease> {
        let lost = caller.lost.as_ref()?;
        let alive = lost.seat == self.seat.id && lost.exp > self.now;
        let taken = match &self.seat.state {
            SeatState::Released(Some(left)) => left.machine == caller.machine && lost.epoch < self.known,
            _ => false,
        };
        (alive && !taken).then_some(lost)
    }

    /// A living lease of the lost time goes on to its end.
    pub(super) fn unless_lost(&self, caller: &CallerContext, act: Act) -> Act {
        if self.lost(caller).is_some() { Act::Keep } else { act }
    }
}
