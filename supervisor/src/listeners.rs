//! Listening sockets that are shared by the processes of a role: the supervisor keeps them while the process that accepts
//! from them comes and goes, so that the kernel queues connections instead of refusing them, and a supervisor that was killed
//! gets them back from the process that goes on.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;

use crate::systemd;

/// How many are passed on at most; a router has one for each address that it listens on.
const MOST: usize = 32;

/// Listening sockets by the address that the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Listeners(Arc<Mutex<BTreeMap<SocketAddr, TcpListener>>>);

/// What is said of the sockets that come with it, in their order.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    /// The configured addresses.
    addresses: Vec<SocketAddr>,
}

impl Listeners {
    fn all(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one, unless there is one for this address.
    pub fn keep(&self, address: SocketAddr, listener: TcpListener) {
        self.all().entry(address).or_insert(listener);
    }

    /// The one that is kept for this address.
    pub fn get(&self, address: SocketAddr) -> Option<TcpListener> {
        self.all().get(&address)?.try_clone().ok()
    }

    /// Closes those for other addresses.
    pub(crate) fn keep_only(&self, addresses: &[SocketAddr]) {
        self.all().retain(|address, _| addresses.contains(address));
    }

    /// The same for good: systemd keeps them no longer either.
    pub(crate) fn forget_all_but(&self, addresses: &[SocketAddr]) {
        let others = |(address, _): &(&SocketAddr, &TcpListener)| !addresses.contains(address);
        self.all().iter().filter(others).for_each(|(_, listener)| systemd::forget(listener));
        self.keep_only(addresses);
    }

    /// Passes all on over a connection, with one line that says which they are.
    pub(crate) async fn pass_on(&self, stream: &tokio::net::UnixStream) -> io::Result<()> {
        let (passed, sockets) = {
            let all = self.all();
            let sockets = all.values().take(MOST).map(|one| one.as_fd().try_clone_to_owned());
            let addresses = all.keys().take(MOST).copied().collect();
            (Passed { addresses }, sockets.collect::<io::Result<Vec<OwnedFd>>>()?)
        };
        let line = format!("{}\n", serde_json::to_string(&passed)?);
        let sent = stream.async_io(Interest::WRITABLE, || {
            let descriptors: Vec<_> = sockets.iter().map(OwnedFd::as_fd).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&descriptors));
            }
            let text = [IoSlice::new(line.as_bytes())];
            Ok(rustix::net::sendmsg(stream, &text, &mut control, SendFlags::NOSIGNAL)?)
        });
        // The line is shorter than any buffer of a socket that nothing has been written to.
        if sent.await? == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Takes over what another process passes on over a connection, as far as there is none for the same address.
    pub(crate) fn take_over(&self, stream: &UnixStream) -> io::Result<()> {
        let (mut line, mut sockets) = (Vec::new(), Vec::new());
        while !line.ends_with(b"\n") {
            let mut piece = [0; 4_096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let text = &mut [IoSliceMut::new(&mut piece)];
            let got = rustix::net::recvmsg(stream, text, &mut control, RecvFlags::CMSG_CLOEXEC)?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    sockets.extend(descriptors.map(TcpListener::from));
                }
            }
            if got.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend_from_slice(&piece[..got.bytes]);
        }
        let passed: Passed = serde_json::from_slice(&line)?;
        for (address, socket) in passed.addresses.into_iter().zip(sockets) {
            self.keep(address, socket);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> (SocketAddr, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (listener.local_addr().unwrap(), listener)
    }

    #[test]
    fn one_for_each_address_is_kept_until_the_address_is_no_longer_wanted() {
        let (one, two) = (bound(), bound());
        let kept = Listeners::default();
        kept.keep(one.0, one.1);
        kept.keep(one.0, bound().1);
        kept.keep(two.0, two.1);
        assert_eq!(kept.get(one.0).unwrap().local_addr().unwrap(), one.0, "the first stays");
        kept.keep_only(&[two.0]);
        assert!(kept.get(one.0).is_none() && kept.get(two.0).is_some());
        assert!(std::net::TcpStream::connect(one.0).is_err(), "it is closed");
    }

    #[tokio::test]
    async fn a_process_that_gets_them_accepts_what_came_before() {
        let (address, listener) = bound();
        let theirs = Listeners::default();
        theirs.keep(address, listener);
        let client = std::net::TcpStream::connect(address).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        theirs.pass_on(&tokio::net::UnixStream::from_std(there).unwrap()).await.unwrap();
        theirs.keep_only(&[]);
        let ours = Listeners::default();
        ours.take_over(&here).unwrap();
        let (_, peer) = ours.get(address).unwrap().accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[tokio::test]
    async fn none_are_passed_on_as_none_and_what_breaks_off_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        let there = tokio::net::UnixStream::from_std(there).unwrap();
        Listeners::default().pass_on(&there).await.unwrap();
        let ours = Listeners::default();
        ours.take_over(&here).unwrap();
        assert!(ours.all().is_empty());
        drop(there);
        assert_eq!(ours.take_over(&here).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
