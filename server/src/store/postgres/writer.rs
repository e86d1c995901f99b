use crate::store::{
    StoreError,
    db::Transaction,
    tx::{Tx, Write},
};
use sqlx::{Acquire as _, PgPool};
use std::time::Duration;

/// How often something is tried that failed for a reason that passes: together about three seconds,
/// in which a database restarts.
const TRIES: u32 = 7;

/// Carries something out in a transaction of its own. What fails before its end for a reason that
/// passes is tried again.
pub(super) async fn transact<W: Write>(pool: &PgPool, work: &W) -> Result<W::Output, StoreError> {
    let mut patience = Patience::default();
    loop {
        match attempt(pool, work).await {
            Ok(ended) => return ended,
            Err(error) => patience.again(error).await?,
        }
    }
}

/// The outer error is one before the end, when nothing was changed for certain.
async fn attempt<W: Write>(pool: &PgPool, work: &W) -> Result<Result<W::Output, StoreError>, StoreError> {
    let mut conn = pool.acquire().await?;
    let mut tx = Tx::new(Transaction::Postgres(conn.begin().await?)).await?;
    if !W::AT_ANY_TIME {
        tx.believes_clock()?;
    }
    let output = work.run(&mut tx).await?;
    Ok(tx.commit().await.map(|()| output))
}

/// Waits between tries, a little longer each time.
#[derive(Default)]
pub(super) struct Patience(u32);

impl Patience {
    /// Answers the error when it does not pass, or when it was tried often enough.
    pub(super) async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 >= TRIES || !error.passes_soon() {
            return Err(error);
        }
        tracing::debug!(%error, "tried again");
        tokio::time::sleep(Duration::from_millis(25 << self.0)).await;
        Ok(())
    }
}
