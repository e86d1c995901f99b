use crate::scarcity::no_thread;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::ToSocketAddrs as _;
use std::panic::{UnwindSafe, catch_unwind};
use tokio::task::JoinHandle;

/// Looks names up as the operating system does, on a thread of the runtime. Like the crate's own,
/// but where that panics because no thread can be had, the call has failed and can be tried again.
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        // The port is filled in by the caller.
        let look_up = move || (name.as_str(), 0).to_socket_addrs();
        let found = aside(look_up);
        Box::pin(async move {
            let addresses = found?.await??;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Does what blocks on a thread of the runtime.
///
/// # Errors
/// There is no thread to be had for it.
pub(super) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + UnwindSafe + 'static,
) -> io::Result<JoinHandle<T>> {
    catch_unwind(|| tokio::task::spawn_blocking(work)).map_err(|_| no_thread())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::scarcity::scarce;

    #[test]
    fn names_are_looked_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let look_up = |name: &str| {
            let name = name.parse().unwrap();
            runtime.block_on(async { Resolver.resolve(name).await.map(Vec::from_iter) })
        };
        assert!(look_up("localhost").unwrap().iter().all(|address| address.ip().is_loopback()));
        let nothing = look_up("no-such-name.invalid");
        assert!(nothing.is_err());
    }

    #[test]
    fn a_missing_thread_is_an_error() {
        // Without a runtime there is no thread either, and the crate panics in the same way.
        let mut resolving = Resolver.resolve("localhost".parse().unwrap());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Err(error)) = resolving.as_mut().poll(&mut context) else { panic!() };
        assert!(error.downcast_ref().and_then(scarce).is_some());
    }
}
