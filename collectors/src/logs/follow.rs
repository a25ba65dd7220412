//! The loop of the reader's thread.
//!
//! Invariant: it ends when it is told to, or when nobody receives any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Settings;
use super::glob::Patterns;
use super::hints::Inbox;
use crate::Batch;
use crate::harness::{Health, State};

pub(crate) struct Follower<'a> {
    settings: Settings,
    inbox: Arc<Inbox>,
    batches: mpsc::Sender<Batch>,
    health: &'a Health,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        settings: Settings,
        _patterns: Patterns,
        inbox: Arc<Inbox>,
        batches: mpsc::Sender<Batch>,
        health: &'a Health,
    ) -> Self {
        Self { settings, inbox, batches, health }
    }

    pub(crate) fn run(self) {
        self.health.set_state(State::Running);
        while !self.batches.is_closed() {
            let told = self
                .inbox
                .take(Instant::now().checked_add(self.settings.rescan_interval.max(Duration::from_millis(10))));
            if told.stop_by.is_some() {
                return;
            }
        }
    }
}
