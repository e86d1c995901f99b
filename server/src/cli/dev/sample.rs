use anyhow::{Context as _, bail};
use seatlock_protocol::{MachineId, Token, TokenKind, api::Plugin};
use seatlock_server::domain::{
    CallerContext, License, PresentedRenewal, SeatAction, SeatAnswer, SeatOperation,
};
use seatlock_server::store::{
    Actor, Created, ListLicenses, NewSeat, SeatActionRequest, SeatCommand, SeatOutcome, Store, StoreError,
    TokenHashes,
};
use uuid::Uuid;

/// Whose seat nobody has used yet: its token is to be tried.
pub(super) const FOR: &str = "ada@example.com";

/// One seat that nobody used yet, one in use and one released. Answers the token of the first.
pub(super) async fn seats(store: &Store, pepper: &[u8; 32], license: &License) -> anyhow::Result<Token> {
    let (_, token) = seat(store, pepper, license, FOR).await?;
    let (_, in_use) = seat(store, pepper, license, "grace@example.com").await?;
    activate(store, pepper, license, &in_use, "grace's workstation").await?;
    let (released, given_back) = seat(store, pepper, license, "alan@example.com").await?;
    activate(store, pepper, license, &given_back, "alan's laptop").await?;
    let (act, by) = (SeatAction::Release, Actor::Console);
    let order = SeatActionRequest {
        seat: released,
        act,
        new_token: None,
        shared_with: None,
        dry_run: false,
        remember: None,
        by,
    };
    done(store.run(order).await?)?;
    Ok(token)
}

/// The license as it is now.
pub(super) async fn license(store: &Store, id: Uuid) -> anyhow::Result<License> {
    let found = store.run(ListLicenses(None)).await?.into_iter().find(|license| license.id == id);
    Ok(found.ok_or_else(|| StoreError::NotFound(format!("license {id}")))?)
}

async fn seat(
    store: &Store,
    pepper: &[u8; 32],
    license: &License,
    email: &str,
) -> anyhow::Result<(Uuid, Token)> {
    let token = Token::generate(TokenKind::Integration, getrandom::fill)
        .context("the operating system gives no random numbers")?;
    let id = Uuid::new_v4();
    let new = NewSeat {
        id,
        license: Some(license.id),
        shared_with: email.to_owned(),
        token: TokenHashes::of(&token, pepper),
        identity: None,
        remember: None,
        by: Actor::Console,
    };
    done(store.run(new).await?)?;
    Ok((id, token))
}

/// A computer that does not exist takes a seat.
async fn activate(
    store: &Store,
    pepper: &[u8; 32],
    license: &License,
    token: &Token,
    computer: &str,
) -> anyhow::Result<()> {
    let product = license.products.first().context("the license has no product")?;
    let caller = CallerContext {
        machine: MachineId::derive(product, "sample", computer),
        source: seatlock_protocol::MachineSource::Os,
        token_revoked: false,
        product: product.clone(),
        plugin: Plugin::default(),
        terms: None,
        epoch: None,
        gave_up: false,
        lost: None,
        launches: 1,
        last_offline: None,
        install_id: Uuid::new_v4(),
        install: None,
        others: 0,
        is_one: false,
        renewal: PresentedRenewal::Nothing,
        jitter: 0,
    };
    let question = SeatCommand { token: token.stored_hash(pepper), call: SeatOperation::Activate, caller };
    done(Created::New(store.run(question).await?))
}

fn done(made: Created<SeatOutcome>) -> anyhow::Result<()> {
    match made {
        Created::New(SeatOutcome { answer: SeatAnswer::Done | SeatAnswer::Lease { .. }, .. }) => Ok(()),
        Created::New(SeatOutcome { answer: SeatAnswer::Verdict(verdict), .. }) => {
            Err(super::super::seat::refusal(&verdict))
        }
        Created::New(_) | Created::Before { .. } => bail!("nothing was changed"),
    }
}
