//! What module caches hold, and what came into them, as metrics.
//!
//! Invariant: a cache counts as long as it is there, with what was counted in it last.

use std::collections::BTreeMap;

use gobeacon_collectors::modcache::{Event, Holdings, Report};
use gobeacon_formats::Timestamp;

use super::Metrics;
use super::catalogue::{Id, MOD_CACHE};
use crate::builds::FileFacts;
use crate::metrics::families::Exemplar;

/// By cache, as many as the collector watches.
pub(super) type Caches = BTreeMap<[u8; 16], Holdings>;

impl Metrics {
    /// Takes in what was counted in a cache.
    pub(crate) fn modcache(&mut self, report: &Report) {
        let mut is_changed = false;
        for event in &report.events {
            match event {
                Event::Counted(holdings) => {
                    self.module_caches.insert(report.root.id, **holdings);
                    is_changed = true;
                }
                Event::Gone => is_changed |= self.module_caches.remove(&report.root.id).is_some(),
                Event::Downloaded(_) | Event::Stalled(_) | Event::StallOver(_) => {}
            }
        }
        if !is_changed {
            return;
        }
        let sum = |number: fn(&Holdings) -> u64| self.module_caches.values().map(number).sum();
        let (bytes, versions) = (sum(|it| it.bytes), sum(|it| it.versions));
        self.families.set(Id::CacheSize, &[MOD_CACHE], bytes);
        self.families.set(Id::CacheEntries, &[MOD_CACHE], versions);
        if let Some(least) = self.module_caches.values().filter_map(|it| it.free_bytes).min() {
            self.families.set(Id::CacheFree, &[MOD_CACHE], least);
        }
    }

    /// Counts what files told of a download. Of one that failed no size or duration is known that means something.
    pub(super) fn downloaded(&mut self, facts: &FileFacts, now: Timestamp) {
        let FileFacts { host, bytes, seconds, redundant, fetched, trace_id } = facts;
        if !fetched {
            return;
        }
        let host = self.hosts.label(host.as_deref());
        self.families.add(Id::ModuleDownloadBytes, &[&host], *bytes);
        if *redundant {
            self.families.add(Id::ModuleRedundantDownloadBytes, &[], *bytes);
        }
        match trace_id {
            Some(trace) => {
                let exemplar: Exemplar = Exemplar::of_root(*trace, *seconds, now);
                self.families.observe_traced(Id::ModuleDownloadDuration, &[&host], exemplar);
            }
            None => self.families.observe(Id::ModuleDownloadDuration, &[&host], *seconds, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use gobeacon_collectors::Root;

    use super::*;
    use crate::builds::Outcome;
    use crate::metrics::Format;

    fn told(metrics: &mut Metrics, id: u8, event: Event) {
        let root = Arc::new(Root { id: [id; 16], path: PathBuf::from("/mod") });
        metrics.modcache(&Report { root, observed: Timestamp::from_nanos(1), events: vec![event] });
    }

    fn line(metrics: &mut Metrics, name: &str) -> Option<String> {
        let page = metrics.page(Format::Text, Timestamp::from_nanos(1)).unwrap().0;
        page.lines().find(|line| line.starts_with(name)).map(str::to_owned)
    }

    #[test]
    fn caches_add_up_the_least_room_counts_and_one_that_is_gone_counts_no_more() {
        let mut metrics = Metrics::new(Timestamp::from_nanos(1)).unwrap();
        assert_eq!(line(&mut metrics, "gobuild_cache_size_bytes{"), None);
        let holding =
            |versions, bytes, free| Event::Counted(Box::new(Holdings { versions, bytes, free_bytes: Some(free) }));
        told(&mut metrics, 1, holding(2, 100, 70));
        told(&mut metrics, 2, holding(3, 50, 30));
        let all = ["entries", "size_bytes", "free_bytes"];
        let seen = |metrics: &mut Metrics| {
            all.map(|name| {
                line(metrics, &format!("gobuild_cache_{name}{{cache=\"mod\"}} "))
                    .unwrap()
                    .split(' ')
                    .nth(1)
                    .unwrap()
                    .to_owned()
            })
        };
        assert_eq!(seen(&mut metrics), ["5", "150", "30"]);
        told(&mut metrics, 2, Event::Gone);
        assert_eq!(seen(&mut metrics), ["2", "100", "70"]);
    }

    #[test]
    fn bytes_and_durations_are_of_downloads_that_came_and_redundant_ones_count_twice() {
        let mut metrics = Metrics::new(Timestamp::from_nanos(1)).unwrap();
        let facts = FileFacts { host: None, bytes: 10, seconds: 0.2, redundant: true, fetched: true, trace_id: None };
        metrics.outcome(&Outcome::Downloaded(facts.clone()), Timestamp::from_nanos(1));
        metrics.outcome(&Outcome::Downloaded(FileFacts { fetched: false, ..facts.clone() }), Timestamp::from_nanos(1));
        let needed = FileFacts { redundant: false, host: Some("proxy.golang.org".to_owned()), ..facts };
        metrics.outcome(&Outcome::Downloaded(needed), Timestamp::from_nanos(1));
        metrics.outcome(&Outcome::DownloadsStalled(3), Timestamp::from_nanos(1));
        for expected in [
            "gobuild_module_download_bytes_total{host=\"unknown\"} 10",
            "gobuild_module_download_bytes_total{host=\"proxy.golang.org\"} 10",
            "gobuild_module_redundant_download_bytes_total 10",
            "gobuild_module_download_duration_seconds_count{host=\"unknown\"} 1",
            "gobuild_module_downloads_stalled 3",
        ] {
            let name = expected.rsplit_once(' ').unwrap().0;
            assert_eq!(line(&mut metrics, name).as_deref(), Some(expected));
        }
    }
}
