/// Takes the seats of `seats_as_json`.
pub(in crate::store) const UPDATE_SEATS: &str = "UPDATE seat SET epoch = n.value ->> 1, counted = n.value ->> 2, \
     state = n.value ->> '$[3][0]', machine = n.value ->> '$[3][1]', since = n.value ->> '$[3][2]', \
     last_ping = n.value ->> '$[3][3]', lease_until = n.value ->> '$[3][4]', \
     machine_source = n.value ->> '$[3][5]', last_used_at = n.value ->> '$[4][0]', \
     launches = n.value ->> '$[4][1]', terms = n.value ->> '$[4][2]', clone_suspected_at = n.value ->> '$[4][3]', \
     last_offline_at = n.value ->> 5 \
     FROM json_each($1) n WHERE seat.id = n.value ->> 0";

/// Takes the installations of `installs_as_json`, and the time.
pub(in crate::store) const UPSERT_INSTALLS: &str = "INSERT INTO install \
     (seat_id, id, presented, first_handed_out, newest_handed_out, retired_from, retired_at, round_first, round_newest, splits, asked_at) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> '$[3][0]', value ->> '$[3][1]', value ->> 4, value ->> 5, \
     value ->> '$[6][0]', value ->> '$[6][1]', value ->> '$[6][2]', $2 \
     FROM json_each($1) WHERE true \
     ON CONFLICT (seat_id, id) DO UPDATE SET presented = excluded.presented, \
     first_handed_out = excluded.first_handed_out, newest_handed_out = excluded.newest_handed_out, \
     retired_from = excluded.retired_from, retired_at = excluded.retired_at, round_first = excluded.round_first, \
     round_newest = excluded.round_newest, splits = excluded.splits, asked_at = excluded.asked_at";
