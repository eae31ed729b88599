//! The digests of files, as many at once as there are processors.

use crate::failure::{Result, system};
use crate::stream::hex;
use crate::sys;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::thread;

const BUFFER_BYTES: usize = 256 * 1024;
const WORKERS_MOST: usize = 8;

pub struct Sum {
    pub name: Vec<u8>,
    pub digest: String,
    pub size: u64,
}

fn sum(directory: &OwnedFd, name: Vec<u8>) -> Result<Option<Sum>> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK;
    let file = match sys::open_at(directory, &name, flags, 0) {
        Ok(file) => file,
        // It has been removed meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system("open", &name, &error)),
    };
    let mut file = File::from(file);
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(system("read", &name, &error)),
        }
    }
    Ok(Some(Sum {
        name,
        digest: hex(&hash.finalize()),
        size,
    }))
}

/// Reads every file of the directory.
pub fn sums(directory: &OwnedFd) -> Result<Vec<Sum>> {
    let names = sys::names_in(directory).map_err(|error| system("read", b".", &error))?;
    read_all(directory, names)
}

/// Reads some files of a tree; their sums by their paths.
pub fn sums_of(root: &OwnedFd, paths: Vec<Vec<u8>>) -> Result<BTreeMap<Vec<u8>, Sum>> {
    let sums = read_all(root, paths)?;
    Ok(sums
        .into_iter()
        .map(|sum| (sum.name.clone(), sum))
        .collect())
}

fn read_all(directory: &OwnedFd, names: Vec<Vec<u8>>) -> Result<Vec<Sum>> {
    let left = Mutex::new(names);
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS_MOST));
    let work = || {
        let mut done = Vec::new();
        // A lock that another worker has died with is no reason to stop.
        while let Some(name) = left.lock().unwrap_or_else(|held| held.into_inner()).pop() {
            done.extend(sum(directory, name)?);
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for handle in handles {
            all.extend(handle.join().unwrap_or_else(|_| Ok(Vec::new()))?);
        }
        Ok(all)
    })
}
