use super::clock::clock_columns;
use super::dialect::{BackEnd, now};
use super::rows::{license_columns, seat_columns};
use super::{
    audit, checkpoint, clock, issuers, licenses, lists, people, restored, retention, rows, share, sign_in,
};
use crate::rules::{AttemptBy, Clocks, Issuer, License, Plan, Seat};
use crate::store::{
    Account, Actor, Answered, ApiToken, AuditPart, AuditPoint, AuditQuery, AuditRow, AuditState, Checkpoint,
    Due, Ending, Erased, Hash, IssuerList, Keep, ListedSeat, Load, Made, NewApiToken, NewSeat, NewSession,
    NewUser, OwnerOrder, Page, PasswordHash, People, Question, Recovery, SeatQuery, ServerInfo, Session,
    Share, SignedIn, Store, StoreError, StoredKeySet, User, UserChange,
};
use seatlock_protocol::{PublicKey, TokenHash, UnixTime};
use sqlx::Row as _;
use std::path::Path;
use uuid::Uuid;

impl Store for BackEnd {
    fn load(&self) -> Load {
        Load { waiting: self.waiting(), failures: 0 }
    }

    async fn call(&self, question: Question) -> Result<Answered, StoreError> {
        self.answer(question).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.release_idle().await
    }

    async fn ready(&self) -> Result<UnixTime, StoreError> {
        let clocks = self.clock().await?;
        clocks.judge().map_err(StoreError::Clock)?;
        Ok(clocks.present())
    }

    async fn clock(&self) -> Result<Clocks, StoreError> {
        // Reading can go on when nothing can be answered any more.
        self.is_open()?;
        let query = concat!(
            "SELECT ",
            now!(),
            " AS now, (SELECT count(*) FROM server) AS servers, ",
            clock_columns!()
        );
        clock::clocks(&sqlx::query(query).fetch_one(self.pool()).await?)
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.write(clock::Trial).await
    }

    async fn accept_clock(&self, by: Actor) -> Result<Clocks, StoreError> {
        self.write(clock::AcceptClock(by)).await
    }

    async fn know_pepper(&self, check: Hash) -> Result<(), StoreError> {
        self.write(clock::KnowPepper(check)).await
    }

    async fn replace_pepper(&self, check: Hash, by: Actor) -> Result<(), StoreError> {
        self.write(clock::ReplacePepper(check, by)).await
    }

    async fn server(&self) -> Result<ServerInfo, StoreError> {
        let row = sqlx::query("SELECT issuer, root_key, documentation, support FROM server")
            .fetch_optional(self.pool())
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(ServerInfo {
            issuer: row.try_get("issuer")?,
            root_key: PublicKey::from_jwk_x(row.try_get("root_key")?)
                .map_err(|_| StoreError::Unexpected("server.root_key"))?,
            documentation: row.try_get("documentation")?,
            support: row.try_get("support")?,
        })
    }

    async fn initialise(
        &self,
        server: ServerInfo,
        account: String,
        license: License,
        keys: StoredKeySet,
    ) -> Result<(), StoreError> {
        self.write(licenses::Initialise { server, account, license, keys }).await
    }

    async fn bound_seats(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(licenses::BOUND).fetch_one(self.pool()).await?;
        rows::unsigned(&row, "bound")
    }

    async fn rename(&self, issuer: String, keys: StoredKeySet, by: Actor) -> Result<(), StoreError> {
        self.write(licenses::Rename { issuer, keys, by }).await
    }

    async fn key_set(&self) -> Result<StoredKeySet, StoreError> {
        let row = sqlx::query("SELECT seq, jws FROM key_set ORDER BY seq DESC LIMIT 1")
            .fetch_optional(self.pool())
            .await?
            .ok_or(StoreError::NotInitialised)?;
        Ok(StoredKeySet { seq: rows::unsigned(&row, "seq")?, jws: row.try_get("jws")? })
    }

    async fn key_sets(&self) -> Result<Vec<StoredKeySet>, StoreError> {
        let rows =
            sqlx::query("SELECT seq, jws FROM key_set ORDER BY seq DESC").fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| Ok(StoredKeySet { seq: rows::unsigned(row, "seq")?, jws: row.try_get("jws")? }))
            .collect()
    }

    async fn publish(&self, keys: StoredKeySet) -> Result<(), StoreError> {
        self.write(licenses::Publish(keys)).await
    }

    async fn add_license(&self, license: License, by: Actor) -> Result<License, StoreError> {
        self.write(licenses::AddLicense(license, by)).await
    }

    async fn change_license(&self, old: License, new: License, by: Actor) -> Result<License, StoreError> {
        self.write(licenses::ChangeLicense { old, new, by }).await
    }

    async fn licenses(&self, account: Option<Uuid>) -> Result<Vec<License>, StoreError> {
        let query = concat!(
            "SELECT ",
            license_columns!(),
            " FROM license l WHERE CAST($1 AS TEXT) IS NULL OR l.account_id = $1 ORDER BY l.created_at, l.rowid"
        );
        let account = account.map(|id| id.to_string());
        sqlx::query(query).bind(account).fetch_all(self.pool()).await?.iter().map(rows::license).collect()
    }

    async fn create_seat(&self, seat: NewSeat) -> Result<Made<Answered>, StoreError> {
        self.write(seat).await
    }

    async fn owner(&self, order: OwnerOrder) -> Result<Made<Answered>, StoreError> {
        self.write(order).await
    }

    async fn seats(&self, query: SeatQuery) -> Result<Page<ListedSeat>, StoreError> {
        lists::seats(self.pool(), query).await
    }

    async fn seat(&self, id: Uuid) -> Result<Option<(ListedSeat, License)>, StoreError> {
        lists::seat(self.pool(), id).await
    }

    async fn seat_of(&self, token: TokenHash) -> Result<Option<([u8; 32], Seat, License)>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT t.hash, ",
            seat_columns!(),
            ", ",
            license_columns!(),
            " FROM token t JOIN seat s ON s.id = t.seat_id JOIN license l ON l.id = s.license_id \
             WHERE t.public_hash = $1 ORDER BY t.revoked_at IS NOT NULL, t.created_at DESC LIMIT 1"
        ))
        .bind(token.as_bytes().as_slice())
        .fetch_optional(self.pool())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hash: Vec<u8> = row.try_get("hash")?;
        let hash = hash.try_into().map_err(|_| StoreError::Unexpected("token.hash"))?;
        Ok(Some((hash, rows::seat(&row)?, rows::license(&row)?)))
    }

    async fn is_token_of(&self, seat: Uuid, token: Hash) -> Result<bool, StoreError> {
        let query = "SELECT 1 FROM token WHERE hash = $1 AND seat_id = $2 AND revoked_at IS NULL";
        let query = sqlx::query(query).bind(token.as_slice()).bind(seat.to_string());
        Ok(query.fetch_optional(self.pool()).await?.is_some())
    }

    async fn audit(&self, query: AuditQuery) -> Result<Page<AuditRow>, StoreError> {
        audit::list(self.pool(), query).await
    }

    async fn verify_audit(&self, part: AuditPart) -> Result<AuditState, StoreError> {
        audit::verify(&mut *self.pool().acquire().await?, part).await
    }

    async fn audit_point(&self, row: Option<u64>) -> Result<Option<AuditPoint>, StoreError> {
        checkpoint::point(&mut *self.pool().acquire().await?, row).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        checkpoint::list(&mut *self.pool().acquire().await?).await
    }

    async fn keep_checkpoint(&self, checkpoint: Checkpoint, by: Actor) -> Result<(), StoreError> {
        self.write(checkpoint::Keep { checkpoint, by }).await
    }

    async fn mark_restored(&self) -> Result<Recovery, StoreError> {
        self.write(restored::MarkRestored).await
    }

    async fn recovery(&self) -> Result<Option<Recovery>, StoreError> {
        restored::recovery(self.pool()).await
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        self.write(retention::Tidy).await
    }

    async fn due(&self, keep: Keep) -> Result<Due, StoreError> {
        retention::due(self.pool(), &keep).await
    }

    async fn erase_closed(&self, keep: Keep) -> Result<u64, StoreError> {
        self.write(retention::EraseClosed(keep)).await
    }

    async fn erase_person(&self, email: &str, dry_run: bool) -> Result<Erased, StoreError> {
        self.write(retention::ErasePerson { email: email.to_owned(), dry_run }).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.copy_to(to).await
    }

    async fn close(&self) {
        self.end().await;
    }
}

impl People for BackEnd {
    async fn add_account(&self, id: Uuid, name: String, by: Actor) -> Result<Account, StoreError> {
        self.write(people::AddAccount { id, name, by }).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read_accounts().await
    }

    async fn plans(&self) -> Result<Vec<Plan>, StoreError> {
        self.read_plans().await
    }

    async fn set_plan(&self, plan: Plan, by: Actor) -> Result<(), StoreError> {
        self.write(people::SetPlan(plan, by)).await
    }

    async fn issuers(&self) -> Result<IssuerList, StoreError> {
        self.read_issuers().await
    }

    async fn add_issuer(&self, issuer: Issuer, by: Actor) -> Result<(), StoreError> {
        self.write(issuers::ChangeIssuer::Add(issuer, by)).await
    }

    async fn change_issuer(&self, issuer: Issuer, by: Actor) -> Result<(), StoreError> {
        self.write(issuers::ChangeIssuer::Replace(issuer, by)).await
    }

    async fn remove_issuer(&self, url: String, by: Actor) -> Result<(), StoreError> {
        self.write(issuers::ChangeIssuer::Remove(url, by)).await
    }

    async fn issuer_seats(&self, url: String) -> Result<u64, StoreError> {
        self.count_issuer_seats(&url).await
    }

    async fn add_user(&self, user: NewUser, by: Actor) -> Result<User, StoreError> {
        self.write(people::AddUser(user, by)).await
    }

    async fn change_user(
        &self,
        id: Uuid,
        change: UserChange,
        keep: Option<Uuid>,
        by: Actor,
    ) -> Result<User, StoreError> {
        self.write(people::ChangeUser { id, change, keep, by }).await
    }

    async fn users(&self, account: Option<Uuid>) -> Result<Vec<User>, StoreError> {
        self.read_users(account).await
    }

    async fn user(&self, email: &str) -> Result<Option<(User, PasswordHash)>, StoreError> {
        self.read_user(email).await
    }

    async fn attempt(&self, names: Vec<(AttemptBy, Hash)>) -> Result<Option<UnixTime>, StoreError> {
        self.write(sign_in::Attempt(names)).await
    }

    async fn sign_in(&self, session: NewSession, forget: Hash) -> Result<(), StoreError> {
        self.write(sign_in::SignIn { session, forget }).await
    }

    async fn session(&self, hash: Hash) -> Result<Option<SignedIn>, StoreError> {
        self.read_session(hash).await
    }

    async fn sessions(&self, user: Uuid) -> Result<Vec<Session>, StoreError> {
        self.read_sessions(user).await
    }

    async fn end_sessions(&self, ending: Ending) -> Result<(), StoreError> {
        self.write(sign_in::End(ending)).await
    }

    async fn add_api_token(&self, token: NewApiToken, by: Actor) -> Result<Made<ApiToken>, StoreError> {
        self.write(sign_in::AddApiToken(token, by)).await
    }

    async fn api_tokens(&self, user: Uuid) -> Result<Vec<ApiToken>, StoreError> {
        self.read_api_tokens(user).await
    }

    async fn remove_api_token(&self, user: Uuid, id: Uuid, by: Actor) -> Result<(), StoreError> {
        self.write(sign_in::RemoveApiToken { user, id, by }).await
    }

    async fn bearer(&self, hash: Hash) -> Result<Option<SignedIn>, StoreError> {
        self.read_bearer(hash).await
    }

    async fn remembered(&self, key: Hash) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        self.read_remembered(key).await
    }

    async fn add_share(&self, share: Share, token: Hash, by: Actor) -> Result<(), StoreError> {
        self.write(share::AddShare { share, token, by }).await
    }

    async fn share(&self, id: Hash) -> Result<Option<Share>, StoreError> {
        self.read_share(id).await
    }

    async fn take_share(&self, id: Hash) -> Result<Option<Share>, StoreError> {
        self.write(share::TakeShare(id)).await
    }
}
