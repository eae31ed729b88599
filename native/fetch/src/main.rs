//! HTTP and TLS for mycontainer. `mycontainer-fetch` gets requests as messages over descriptor 0, a socket, together with
//! the descriptors of files that bodies come from and go to, and answers over the same socket (message.rs).
//!
//! It decides nothing: it follows no redirect, adds no credentials, repeats nothing, and opens no file but those that the
//! resolver of names needs. src/registry/confine.ts has put it into a root that has nothing else, without privileges.

mod agent;
mod exchange;
mod message;
mod secure;
mod sink;
mod trouble;
mod trust;

use agent::Agent;
use message::{Channel, Message};
use std::collections::HashMap;
use std::fs::File;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use trouble::{Kind, Trouble};

const SOCKET: i32 = 0;
/// Of the thread of an exchange.
const STACK_BYTES: usize = 512 * 1024;

/// No other process of this user may look into this one, which is told passwords.
fn close_to_others() {
    // SAFETY: no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
}

/// Names are looked up in files and by DNS alone, whatever nsswitch.conf(5) says: other ways are libraries of the host,
/// which a static program must not load.
#[cfg(target_env = "gnu")]
fn resolve_without_plugins() {
    unsafe extern "C" {
        fn __nss_configure_lookup(
            database: *const libc::c_char,
            services: *const libc::c_char,
        ) -> libc::c_int;
    }
    // SAFETY: strings that live for ever, before any thread is started.
    unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
}

#[cfg(not(target_env = "gnu"))]
fn resolve_without_plugins() {}

fn serve(channel: &Arc<Channel>) -> std::io::Result<()> {
    let mut agents: HashMap<u64, Result<Agent, Trouble>> = HashMap::new();
    while let Some((message, files)) = channel.receive()? {
        match message {
            Message::Agent(wanted) => {
                agents.insert(wanted.agent, agent::open(&wanted, files));
            }
            Message::Exchange(asked) => {
                let unknown = || Err(Trouble::new(Kind::Protocol, "there is no such agent"));
                let agent = agents.get(&asked.agent).cloned().unwrap_or_else(unknown);
                start(channel, agent, asked, files)?;
            }
        }
    }
    Ok(())
}

fn start(
    channel: &Arc<Channel>,
    agent: Result<Agent, Trouble>,
    asked: message::Exchange,
    files: Vec<File>,
) -> std::io::Result<()> {
    let channel = Arc::clone(channel);
    let work = move || exchange::perform(&channel, agent, asked, files);
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map(drop)
}

fn main() -> ExitCode {
    close_to_others();
    resolve_without_plugins();
    // SAFETY: descriptor 0 is the parent's socket.
    let channel = Arc::new(unsafe { Channel::from_descriptor(SOCKET) });
    match serve(&channel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
