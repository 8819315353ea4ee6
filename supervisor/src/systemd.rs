//! Listening sockets that systemd passes on: those of a socket unit (systemd.socket(5)), and those that a unit has left in its
//! file descriptor store (`FileDescriptorStoreMax=` in systemd.service(5)), where they outlive the supervisor too.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use sd_notify::NotifyState;

/// What this process was started with: that comes once.
static PASSED_ON: OnceLock<Mutex<Vec<TcpListener>>> = OnceLock::new();

fn passed_on() -> Vec<TcpListener> {
    let mut all = listenfd::ListenFd::from_env();
    let listeners = (0..all.len()).filter_map(|index| match all.take_tcp_listener(index) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "systemd passes on what is no listener for TCP");
            None
        }
    });
    listeners.collect()
}

/// The listener on this address that systemd has passed on.
pub(crate) fn take(address: SocketAddr) -> Option<TcpListener> {
    let all = PASSED_ON.get_or_init(|| Mutex::new(passed_on()));
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let is_there = |one: &TcpListener| one.local_addr().is_ok_and(|own| own == address);
    let index = all.iter().position(is_there)?;
    Some(all.swap_remove(index))
}

/// Closes what nobody has asked for: a socket that nobody accepts from would take connections and never answer.
pub(crate) fn close_others() {
    if let Some(all) = PASSED_ON.get() {
        all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Leaves a listener in the unit's store. Nothing happens where this is no unit, or one without a store.
pub(crate) fn store(listener: &TcpListener) {
    let Ok(address) = listener.local_addr() else { return };
    let name = name(address);
    // Once: another one with the same name would be kept beside it.
    let mut states = vec![NotifyState::FdStoreRemove, NotifyState::FdName(&name)];
    let removed = sd_notify::notify(&states);
    states[0] = NotifyState::FdStore;
    let stored = sd_notify::notify_with_fds(&states, &[listener.as_fd()]);
    if let Err(error) = removed.and(stored) {
        tracing::warn!(%error, "systemd does not keep the listener on {address}");
    }
}

/// Takes a listener from the unit's store.
pub(crate) fn forget(listener: &TcpListener) {
    let Ok(address) = listener.local_addr() else { return };
    let name = name(address);
    if let Err(error) = sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(&name)])
    {
        tracing::warn!(%error, "systemd keeps the listener on {address}");
    }
}

/// A name may have no colon (`sd_pid_notify_with_fds`(3)).
fn name(address: SocketAddr) -> String {
    address.to_string().replace(':', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_colon_and_tells_addresses_apart() {
        let named = |text: &str| name(text.parse().unwrap());
        assert_eq!(named("0.0.0.0:80"), "0.0.0.0_80");
        assert_eq!(named("[::1]:8080"), "[__1]_8080");
    }

    #[test]
    fn nothing_is_passed_on_to_a_process_that_systemd_has_not_started() {
        assert!(take("127.0.0.1:80".parse().unwrap()).is_none());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        store(&listener);
        forget(&listener);
    }
}
