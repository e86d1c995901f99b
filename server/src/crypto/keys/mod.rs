//! Holds secrets: the data folder's key files, the pepper, and the key that signs.

/// Key sets on their way to the holder of the root key and back.
mod ceremony;
/// The data folder and its secret files.
mod folder;
/// Key sets: what a rotation makes of the last one.
mod set;

pub use ceremony::{CeremonyError, Proposal, accept_set, sign_set};
pub use folder::{DataFolder, FolderError, NewKey, new_key, pepper_check, random, read_key};
pub use set::{Rotation, first_set, next_set};
