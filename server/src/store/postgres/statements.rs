macro_rules! seat_values {
    () => {
        "epoch = (n.value ->> 1)::bigint, counted = (n.value ->> 2)::boolean, state = n.value #>> '{3,0}', \
         machine = n.value #>> '{3,1}', since = (n.value #>> '{3,2}')::bigint, \
         last_ping = (n.value #>> '{3,3}')::bigint, lease_until = (n.value #>> '{3,4}')::bigint, \
         machine_source = n.value #>> '{3,5}', \
         last_used_at = (n.value #>> '{4,0}')::bigint, launches = (n.value #>> '{4,1}')::bigint, \
         terms = n.value #>> '{4,2}', clone_suspected_at = (n.value #>> '{4,3}')::bigint, \
         last_offline_at = (n.value ->> 5)::bigint"
    };
}

/// Takes the seats of `seats_as_json`.
pub(in crate::store) const UPDATE_SEATS: &str = concat!(
    "UPDATE seat SET ",
    seat_values!(),
    " FROM json_array_elements($1::json) n WHERE seat.id = n.value ->> 0"
);

/// Takes the installations of `installs_as_json`, and the time.
pub(in crate::store) const UPSERT_INSTALLS: &str = "INSERT INTO install \
     (seat_id, id, presented, first_handed_out, newest_handed_out, retired_from, retired_at, round_first, round_newest, splits, asked_at) \
     SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, (value #>> '{3,0}')::bigint, (value #>> '{3,1}')::bigint, \
     (value ->> 4)::bigint, (value ->> 5)::bigint, (value #>> '{6,0}')::bigint, (value #>> '{6,1}')::bigint, \
     (value #>> '{6,2}')::bigint, $2 FROM json_array_elements($1::json) \
     ON CONFLICT (seat_id, id) DO UPDATE SET presented = excluded.presented, \
     first_handed_out = excluded.first_handed_out, newest_handed_out = excluded.newest_handed_out, \
     retired_from = excluded.retired_from, retired_at = excluded.retired_at, round_first = excluded.round_first, \
     round_newest = excluded.round_newest, splits = excluded.splits, asked_at = excluded.asked_at";

/// Takes seats, installations that exist, and the time; answers the seats that were written. A seat
/// that is not as it was read any more stays as it is, with its installations. Locked in the order
/// of their ids: two batches never wait for each other.
pub(super) const UPDATE_UNCHANGED: &str = concat!(
    "WITH n AS MATERIALIZED (SELECT value FROM json_array_elements($1::json)), \
     held AS MATERIALIZED (SELECT s.id FROM seat s JOIN n ON s.id = n.value ->> 0 \
     WHERE s.xmin::text = n.value ->> 6 ORDER BY s.id FOR UPDATE OF s), \
     kept AS (UPDATE seat SET ",
    seat_values!(),
    " FROM n JOIN held ON held.id = n.value ->> 0 WHERE seat.id = held.id RETURNING seat.id), \
     renewed AS (UPDATE install SET presented = (m.value ->> 2)::bigint, \
     first_handed_out = (m.value #>> '{3,0}')::bigint, newest_handed_out = (m.value #>> '{3,1}')::bigint, \
     retired_from = (m.value ->> 4)::bigint, retired_at = (m.value ->> 5)::bigint, \
     round_first = (m.value #>> '{6,0}')::bigint, round_newest = (m.value #>> '{6,1}')::bigint, \
     splits = (m.value #>> '{6,2}')::bigint, asked_at = $3 \
     FROM json_array_elements($2::json) m JOIN kept ON kept.id = m.value ->> 0 \
     WHERE install.seat_id = kept.id AND install.id = m.value ->> 1) \
     SELECT id FROM kept"
);
