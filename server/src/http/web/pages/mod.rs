//! What pages show. A page is a struct and a template, beside the handler that fills it; here are
//! the small things that many of them show, shared by all.
//!
//! A page decides, reads and writes nothing, and every text of it is escaped. The pages need no
//! JavaScript: `copy.js` only adds the buttons that copy. They hold no style and no script of their
//! own, so they work under `CONTENT_SECURITY_POLICY`.

/// How texts get onto pages.
mod escape;
/// Small things that many pages show: moments, ids, badges, the frame.
mod parts;

pub use escape::PageText;
pub use parts::{Help, Moment, Notice, SeatName, Shell, ShortId, StatusBadge, Tone};
