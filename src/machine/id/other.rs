use super::{Answer, Refusal};

/// The `os_tag` under which ids are derived. No id is, since there is no source.
pub const OS_TAG: &str = "other";

/// `machine-uid` starts `kenv` on the BSDs, which a guest in a host process must not do.
pub fn answers() -> impl Iterator<Item = Answer> {
    std::iter::once(("this operating system", Err(Refusal::Unreadable("no source is known".to_owned()))))
}
