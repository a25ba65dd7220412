//! What is counted of build caches.

use gobeacon_collectors::buildcache::{Event, How, Removal, RemovedBy, Report, Used};
use gobeacon_formats::cache_entry::OutputKind;

use super::Metrics;
use super::catalogue::{BUILD_CACHE, BY_WATCH, Id};
use crate::buildcache::Totals;

impl Metrics {
    /// Counts what happened in one cache.
    pub(crate) fn build_cache(&mut self, report: &Report) {
        for event in &report.events {
            match event {
                Event::Used(used) => self.cache_used(used),
                Event::Removed(removal) => self.cache_removed(removal),
                Event::Seen(_)
                | Event::Stock { .. }
                | Event::Inventory(_)
                | Event::Restored(_)
                | Event::Worth(_)
                | Event::HitsLost { .. }
                | Event::Gone => {}
            }
        }
    }

    /// What is in all build caches now.
    pub(crate) fn build_caches(&mut self, totals: &Totals) {
        for (how, count) in How::ALL.into_iter().zip(totals.seen) {
            self.families.set(Id::Caches, &[BUILD_CACHE, how.name()], count);
        }
        let [watched, not_watched @ ..] = totals.seen;
        if watched == 0 && not_watched.iter().any(|count| *count > 0) {
            // no hits and unknown hits are not the same
            self.families.remove(Id::CacheHits, &[BY_WATCH]);
        } else {
            self.families.add(Id::CacheHits, &[BY_WATCH], 0);
        }
        let stock = totals.stock.as_ref();
        self.cache_gauge(Id::CacheSize, BUILD_CACHE, stock.map(|stock| stock.bytes()));
        self.cache_gauge(Id::CacheEntries, BUILD_CACHE, stock.map(|stock| stock.entries()));
        self.cache_gauge(Id::CacheFree, BUILD_CACHE, totals.free_bytes);
        for kind in OutputKind::ALL {
            let bytes = stock.and_then(|stock| stock.outputs.get(kind as usize)).map(|count| count.bytes);
            self.cache_gauge(Id::CacheKindBytes, kind.name(), bytes);
        }
    }

    fn cache_gauge(&mut self, id: Id, label: &str, value: Option<u64>) {
        match value {
            Some(value) => self.families.set(id, &[label], value),
            None => self.families.remove(id, &[label]),
        }
    }

    fn cache_used(&mut self, used: &Used) {
        let Used { hits, puts, restored_hits, copied, restored, restored_bytes } = *used;
        if hits > 0 {
            self.families.add(Id::CacheHits, &[BY_WATCH], hits);
        }
        self.families.add(Id::CachePuts, &[], puts);
        self.families.add(Id::CacheCopiedReads, &[], copied);
        self.families.add(Id::CacheRestoredEntries, &[], restored);
        self.families.add(Id::CacheRestoredBytes, &[], restored_bytes);
        self.families.add(Id::CacheRestoredHits, &[], restored_hits);
    }

    fn cache_removed(&mut self, removal: &Removal) {
        match removal.by {
            RemovedBy::GoTrim | RemovedBy::Unknown => {
                self.families.add(Id::CacheTrimmedEntries, &[], removal.entries);
                self.families.add(Id::CacheTrimmedBytes, &[], removal.bytes);
            }
            RemovedBy::Clean => {}
        }
    }
}
