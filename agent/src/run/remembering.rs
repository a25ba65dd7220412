//! When the loop has written what must outlive it: about once a second, and before a page is answered.
//!
//! A snapshot is taken between two wakes; it is written once all that came of it is safe in the spool, delivered, or
//! counted as dropped. A page says what its snapshot says, and is answered once that is written: so the next life goes
//! on from what the page has shown.
//!
//! Invariant: the loop waits for none of it; a page waits for a bounded time.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use gobeacon_collectors::now;
use tokio::time::Instant;

use super::Agent;
use crate::admin::Ask;
use crate::builds::Builds;
use crate::export::Exporter;
use crate::metrics::{Counted, Metrics, Series};
use crate::self_telemetry::Work;
use crate::state::{Keeper, Ledger, Remembered, Safety};

/// How long what was taken in is on no disk, while all is well.
const EVERY: Duration = Duration::from_secs(1);
/// How long the first news after a silence wait for more of it. A page that shows them goes first: what it writes needs
/// no sync, and it need not wait for one.
const GATHER: Duration = Duration::from_millis(250);
/// How long a page waits for its snapshot to be written.
const PAGE_WITHIN: Duration = Duration::from_secs(1);
/// Pages that wait at once; full-policy: further ones are answered without.
const MOST_PAGES: usize = 16;

/// A page that waits, made, for its snapshot.
type Page = (tokio::sync::oneshot::Sender<Option<String>>, Option<String>);

/// The writing of what is remembered.
pub(super) struct Remembering {
    keeper: Option<Keeper>,
    pub(super) ledger: Ledger,
    /// The write that is under way.
    under_way: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    /// What the pages show that wait for it, or that were answered before it was done.
    shows: Option<Counted>,
    pages: Vec<Page>,
    pages_by: Option<Instant>,
    /// Questions that came while a write was under way that is not theirs.
    asked: Vec<Ask>,
    /// Not before this.
    next: Instant,
    /// When what is new is written.
    due: Option<Instant>,
    /// The last record would not outlive the machine.
    unsynced: bool,
    /// The last page waited in vain.
    in_vain: bool,
}

/// What the loop hears of it.
pub(super) enum Heard {
    /// It is time to write.
    Due,
    /// A write ended, well or not.
    Written(bool),
    /// Pages have waited for long enough.
    PagesDue,
}

impl Remembering {
    /// Reads what an earlier life left in this folder. One that cannot be used is said, and no reason not to start.
    pub(super) fn open(dir: &Path) -> (Self, Remembered) {
        let (keeper, remembered) = match Keeper::open(dir) {
            Ok((keeper, remembered)) => (Some(keeper), remembered),
            Err(error) => {
                let state_dir = dir.display();
                tracing::warn!(
                    %state_dir,
                    %error,
                    "the state folder cannot be written: the agent goes on, and remembers nothing over a restart"
                );
                (None, Remembered::default())
            }
        };
        let remembering = Self {
            keeper,
            ledger: Ledger::default(),
            under_way: None,
            shows: None,
            pages: Vec::new(),
            pages_by: None,
            asked: Vec::new(),
            next: Instant::now(),
            due: None,
            unsynced: false,
            in_vain: false,
        };
        (remembering, remembered)
    }

    /// Waits for what is next.
    pub(super) async fn hear(&mut self) -> Heard {
        let is_due = self.keeper.is_some() && self.under_way.is_none() && (self.unsynced || self.ledger.has_changed());
        if is_due {
            self.due.get_or_insert_with(|| self.next.max(Instant::now() + GATHER));
        }
        let (due, pages_by) = (self.due.unwrap_or(self.next), self.pages_by);
        tokio::select! {
            written = wait(&mut self.under_way) => Heard::Written(written),
            () = tokio::time::sleep_until(pages_by.unwrap_or(due)), if pages_by.is_some() => Heard::PagesDue,
            () = tokio::time::sleep_until(due), if is_due => Heard::Due,
        }
    }

    /// Waits for the write that is under way, if one is.
    pub(super) async fn settled(&mut self, until: Instant) -> Heard {
        if self.under_way.is_none() {
            return Heard::Written(true);
        }
        let Ok(well) = tokio::time::timeout_at(until, wait(&mut self.under_way)).await else {
            tracing::warn!("the state was not written in time: a restart reads some of the logs again");
            return Heard::Written(false);
        };
        Heard::Written(well)
    }

    /// Whether what is open is remembered, so that the next life can go on with it.
    pub(super) fn is_kept(&self) -> bool {
        self.keeper.as_ref().is_some_and(|it| !it.is_failing())
    }

    /// Files that could not be read and writes that failed, and the bytes of the journal.
    pub(super) fn costs(&self) -> (u64, u64) {
        self.keeper.as_ref().map_or((0, 0), |it| (it.errors(), it.bytes()))
    }

    /// Takes a snapshot and begins to write it.
    fn begin(&mut self, builds: &Builds, exporter: Option<&Exporter>, counted: Vec<Series>, safety: Safety) {
        let Some(keeper) = &self.keeper else { return };
        let write = keeper.write(&mut self.ledger, builds, counted);
        let safe = exporter.map(|it| it.safe(safety == Safety::PowerLoss));
        self.under_way = Some(Box::pin(async move {
            if let Some(safe) = safe {
                safe.await;
            }
            write(safety).await.unwrap_or(false)
        }));
        self.unsynced = safety == Safety::Kill;
        self.due = None;
    }

    /// Whether a page that waits will be answered soon.
    fn is_quick(&self, exporter: Option<&Exporter>) -> bool {
        // without a spool only the backend makes anything safe
        self.is_kept() && !self.in_vain && exporter.is_none_or(Exporter::is_spooled)
    }

    fn answer_pages(&mut self) {
        self.pages_by = None;
        for (answer, page) in self.pages.drain(..) {
            // who asked may be gone
            _ = answer.send(page);
        }
    }
}

impl Agent {
    /// Does what is next.
    pub(super) fn remember(&mut self, heard: Heard) {
        match heard {
            Heard::Due => {
                self.refresh();
                let counted = self.metrics.not_shown();
                self.remembering.begin(&self.builds, self.exporter.as_ref(), counted, Safety::PowerLoss);
            }
            Heard::Written(well) => {
                let remembering = &mut self.remembering;
                remembering.under_way = None;
                remembering.next = Instant::now() + EVERY;
                remembering.in_vain &= !well;
                if let Some(shows) = remembering.shows.take().filter(|_| well) {
                    self.metrics.was_shown(shows);
                }
                remembering.answer_pages();
                for ask in std::mem::take(&mut remembering.asked) {
                    self.answer(ask);
                }
            }
            Heard::PagesDue => {
                self.remembering.in_vain = true;
                self.remembering.answer_pages();
            }
        }
    }

    /// Answers a page: at once where it shows nothing new, or where nothing can be written.
    pub(super) fn page(&mut self, ask: Ask) {
        let Ask::Page { format, answer } = ask else { return };
        let quick = self.remembering.is_quick(self.exporter.as_ref());
        let has_room = self.remembering.pages.len() + self.remembering.asked.len() < MOST_PAGES;
        if self.remembering.under_way.is_some() && quick && has_room {
            let by = Instant::now() + PAGE_WITHIN;
            self.remembering.pages_by.get_or_insert(by);
            self.remembering.asked.push(Ask::Page { format, answer });
            return;
        }
        let began = Instant::now();
        self.refresh();
        let made = self.metrics.page(format, now());
        let made = made.inspect_err(|error| tracing::error!(%error, "no page of metrics")).ok();
        self.worked(Work::MetricsPage, began, made.as_ref().map_or(0, |(page, _)| page.len()));
        let Some((page, shows)) = made else {
            _ = answer.send(None);
            return;
        };
        let is_news = self.remembering.ledger.has_changed() || self.metrics.is_news(&shows);
        if !is_news || self.remembering.under_way.is_some() || self.remembering.keeper.is_none() {
            _ = answer.send(Some(page));
            return;
        }
        self.remembering.begin(&self.builds, self.exporter.as_ref(), Vec::new(), Safety::Kill);
        self.remembering.shows = Some(shows);
        if quick {
            self.remembering.pages.push((answer, Some(page)));
            self.remembering.pages_by = Some(Instant::now() + PAGE_WITHIN);
        } else {
            _ = answer.send(Some(page));
        }
    }

    /// Brings what others count into the metrics.
    fn refresh(&mut self) {
        let readings: Vec<_> = self.collectors.iter().map(|it| (it.collector().name, it.health().read())).collect();
        self.metrics.collectors(&readings);
        self.metrics.commands_running(self.builds.open_count());
        if let Some(exporter) = &self.exporter {
            self.metrics.exporter(&exporter.report(), now());
        }
        let (errors, bytes) = self.remembering.costs();
        self.metrics.state(errors, bytes);
    }

    /// All else is done: what is not remembered yet is written.
    pub(super) fn begin_the_last_record(&mut self) {
        if self.remembering.under_way.is_none() {
            self.remember(Heard::Due);
        }
    }
}

/// What this life must know of the last one.
pub(super) fn go_on(remembered: Remembered, remembering: &mut Remembering, builds: &mut Builds, metrics: &mut Metrics) {
    remembered.open().for_each(|(log, what, will)| builds.resume(log, what, will));
    metrics.carry(remembered.counted.clone());
    remembering.ledger = Ledger::new(remembered);
}

/// The end of what is under way; never, where nothing is.
async fn wait(under_way: &mut Option<Pin<Box<dyn Future<Output = bool> + Send>>>) -> bool {
    match under_way {
        Some(under_way) => under_way.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn news_after_a_silence_leave_a_page_time_to_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let (mut remembering, _) = Remembering::open(dir.path());
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        remembering.ledger.touch();
        // the loop asks anew whenever something else happened
        assert!(tokio::time::timeout(GATHER / 2, remembering.hear()).await.is_err());
        assert!(matches!(remembering.hear().await, Heard::Due));
        assert!((GATHER..EVERY).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
