//! Standard input and output for asynchronous readers and writers.
//!
//! Why not the runtime's own: its feature would be compiled into everything, and a read that waits for input would keep the
//! process from ending.

use crate::failure::{Context, Result};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::runtime::Handle;

/// Bytes that are read ahead.
const AHEAD: usize = 64 << 10;

/// Standard input, read by a thread of its own.
pub fn input() -> impl AsyncRead + Send + Unpin + 'static {
    let (ours, theirs) = tokio::io::duplex(AHEAD);
    let runtime = Handle::current();
    std::thread::spawn(move || pass_on(std::io::stdin().lock(), theirs, &runtime));
    ours
}

/// Passes on what is read, until it ends or nobody takes it.
fn pass_on(mut from: impl Read, mut to: DuplexStream, runtime: &Handle) {
    let mut bytes = [0; 16 << 10];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                if runtime.block_on(to.write_all(&bytes[..read])).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Standard output. Nothing else may write to it meanwhile.
pub fn output() -> Result<impl AsyncWrite + Send + Unpin + 'static> {
    let owned = std::io::stdout().as_fd().try_clone_to_owned();
    let owned = owned.context(|| "standard output cannot be written".into())?;
    Ok(tokio::fs::File::from_std(File::from(owned)))
}
