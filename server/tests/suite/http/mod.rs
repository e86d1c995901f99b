//! What a server must do with every database: programs `http` and `postgres` play it, each with its
//! own `ENGINE`.

mod durability;
mod pepper;
