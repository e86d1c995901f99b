//! License activation for 3D plug-ins.

pub mod license;
pub use seatlock_protocol as protocol;
