use super::rows::{moment, parsed, unsigned};
use crate::store::StoreError;
use crate::store::db::sql;
use crate::store::run::{Operation, Store};
use seatlock_protocol::{MachineId, UnixTime};
use std::collections::HashMap;
use uuid::Uuid;

/// How many leases of each license may be alive at this moment on machines that hold their seat no
/// more. A license without one is not named.
pub struct CountOutliving(pub UnixTime);

impl Operation for CountOutliving {
    type Output = HashMap<Uuid, u64>;

    async fn carry_out(self, store: &Store) -> Result<HashMap<Uuid, u64>, StoreError> {
        let query = "SELECT s.license_id, count(*) AS leases FROM outliving o JOIN seat s ON s.id = o.seat_id \
                     WHERE o.until > $1 GROUP BY s.license_id";
        let rows = sql(query).bind(self.0.seconds()).fetch_all(store.reader().await?.conn()).await?;
        rows.iter().map(|row| Ok((parsed(row, "license_id")?, unsigned(row, "leases")?))).collect()
    }
}

/// Machines that hold a seat no more, and until when each may have a lease of it; the last one
/// first.
pub struct ListOutliving {
    /// The seat.
    pub seat: Uuid,
    /// Those that live now.
    pub now: UnixTime,
}

impl Operation for ListOutliving {
    type Output = Vec<(MachineId, UnixTime)>;

    async fn carry_out(self, store: &Store) -> Result<Vec<(MachineId, UnixTime)>, StoreError> {
        let query = sql(
            "SELECT machine, until FROM outliving WHERE seat_id = $1 AND until > $2 ORDER BY until DESC, machine",
        );
        let query = query.bind(self.seat.to_string()).bind(self.now.seconds());
        let rows = query.fetch_all(store.reader().await?.conn()).await?;
        rows.iter().map(|row| Ok((parsed(row, "machine")?, moment(row, "until")?))).collect()
    }
}
