//! Where the system has no inotify: says so, and collectors look again from time to time instead.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Kinds, Notice, Watch};

/// Never made.
#[derive(Debug)]
pub(crate) enum Inotify {}

impl Inotify {
    /// # Errors
    /// Always.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn watch(&self, _dir: &Path, _kinds: Kinds) -> io::Result<Watch> {
        match *self {}
    }

    pub(crate) fn unwatch(&self, _watch: Watch) {
        match *self {}
    }

    pub(crate) fn read(&self, _timeout: Duration, _each: impl FnMut(Notice<'_>)) -> io::Result<()> {
        match *self {}
    }
}
