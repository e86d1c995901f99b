//! What a store must do in every database: programs `store` and `postgres` play it, each with its
//! own `ENGINE`.

mod audit_chain;
mod checkpoints;
mod copies;
mod histories;
mod identities;
mod lists;
pub mod migrations;
mod people;
mod races;
mod service;
pub mod transfer;
