use super::AppState;
use crate::http::api::schema::{SeatJson, csv};
use crate::service::ServiceError;
use crate::service::{ListedSeat, Page, SeatQuery, SignedIn};
use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream::try_unfold;
use std::{io, sync::Arc};

/// Seats that are in memory at a time.
const PAGE: u32 = 500;

/// What is left to be written: the beginning at first, then page by page.
enum Rest {
    Page(Page<ListedSeat>),
    After(SeatQuery),
    Nothing,
}

/// Seats as a table for spreadsheets, written page by page as it is read, so that any number of
/// them needs no memory. `query` says which; its place and its limit do not count.
pub(super) async fn seats(
    state: Arc<AppState>,
    who: SignedIn,
    query: SeatQuery,
) -> Result<Response, ServiceError> {
    let mut query = SeatQuery { after: None, limit: PAGE, ..query };
    let service = state.services.of(&who);
    // Seats of one license are kept in the order in which they are listed; those of an account would be
    // sorted for each page.
    if let (None, [only]) = (query.license, service.licenses(query.account).await?.as_slice()) {
        query.license = Some(only.id);
    }
    // The first page before the answer begins, because a refusal cannot be told later.
    let first = service.seats(query.clone()).await?;
    let pages = try_unfold((Rest::Page(first), true), move |(rest, begins)| {
        let (state, who, query) = (state.clone(), who.clone(), query.clone());
        async move {
            let page = match rest {
                Rest::Page(page) => page,
                Rest::After(query) => {
                    let page = state.services.of(&who).seats(query).await;
                    page.map_err(io::Error::other)?
                }
                Rest::Nothing => return Ok::<_, io::Error>(None),
            };
            let mut bytes = if begins { csv::head().map_err(io::Error::other)? } else { Vec::new() };
            let views: Vec<SeatJson> = page.rows.iter().map(SeatJson::from).collect();
            bytes.extend(csv::rows(&views).map_err(io::Error::other)?);
            let rest = match page.rows.last().filter(|_| page.more) {
                Some(last) => Rest::After(SeatQuery { after: Some(last.cursor()), ..query }),
                None => Rest::Nothing,
            };
            Ok(Some((Bytes::from(bytes), (rest, false))))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"seats.csv\""),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}
