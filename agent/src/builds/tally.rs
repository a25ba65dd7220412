//! The counts and lists of one build, from its first event to its summary.
//!
//! Invariant: each list has a bound; what does not fit is counted in `folded.listed`.

use gobeacon_formats::{CaseStatus, HttpAnswer, ModuleChange, PackageStatus};

use super::downloads::Told;
use super::redact;
use super::summary::{DownloadSeen, Folded, HostRequests, ModuleChanged, PackageCounts, TestCounts};

/// Items of each list. A summary is read by a person, or is one line of JSON.
const MAX_LISTED: usize = 256;
/// Hosts told apart; the others are one.
const MAX_HOSTS: usize = 8;
/// Longest text in a list, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// What was counted.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) tests: TestCounts,
    pub(super) packages: PackageCounts,
    pub(super) downloads_total: u64,
    pub(super) downloads_failed: u64,
    pub(super) downloads: Vec<DownloadSeen>,
    pub(super) toolchains: Vec<String>,
    pub(super) requests: Vec<HostRequests>,
    pub(super) proxy_fallbacks: u64,
    pub(super) modules_changed: Vec<ModuleChanged>,
    /// Objects of `go mod download -json`.
    pub(super) module_infos: u64,
    pub(super) packages_compiled: u64,
    pub(super) diagnostics: u64,
    pub(super) folded: Folded,
    coverage: (f64, u32),
}

impl Tally {
    pub(super) fn case(&mut self, status: CaseStatus, first_flaky: bool) {
        match status {
            CaseStatus::Pass => self.tests.passed += 1,
            CaseStatus::Fail => self.tests.failed += 1,
            CaseStatus::Skip => self.tests.skipped += 1,
        }
        self.tests.flaky += u64::from(first_flaky);
    }

    pub(super) fn package(&mut self, status: PackageStatus, cached: bool, coverage_percent: Option<f64>) {
        let packages = &mut self.packages;
        match status {
            PackageStatus::Pass => packages.passed += 1,
            PackageStatus::Fail => packages.failed += 1,
            PackageStatus::BuildFailed => packages.build_failed += 1,
            PackageStatus::SetupFailed => packages.setup_failed += 1,
            PackageStatus::NoTestFiles => packages.no_test_files += 1,
        }
        packages.cached += u64::from(cached && status == PackageStatus::Pass);
        if let Some(percent) = coverage_percent.filter(|percent| percent.is_finite()) {
            self.coverage = (self.coverage.0 + percent, self.coverage.1.saturating_add(1));
        }
    }

    pub(super) fn mean_coverage(&self) -> Option<f64> {
        (self.coverage.1 > 0).then(|| self.coverage.0 / f64::from(self.coverage.1))
    }

    pub(super) fn download(&mut self, told: &Told<'_>) {
        if let Some(class) = told.failed {
            self.downloads_failed += 1;
            let same = |seen: &&mut DownloadSeen| seen.module == told.module && seen.version == told.version;
            if let Some(seen) = self.downloads.iter_mut().find(same) {
                seen.failed = Some(class);
                seen.host = told.host.clone().or_else(|| seen.host.take());
            }
            return;
        }
        self.downloads_total += 1;
        if self.downloads.len() >= MAX_LISTED {
            self.folded.listed += 1;
            return;
        }
        let seen = DownloadSeen {
            module: told.module.clone().into_owned(),
            version: told.version.clone().into_owned(),
            host: told.host.clone(),
            failed: None,
        };
        list(&mut self.downloads, seen, &mut self.folded);
    }

    /// Whether this toolchain is new in this build.
    pub(super) fn toolchain(&mut self, version: &str) -> bool {
        let version = redact::bounded(version.to_owned(), MAX_TEXT_BYTES);
        let new = !self.toolchains.contains(&version);
        if new {
            list(&mut self.toolchains, version, &mut self.folded);
        }
        new
    }

    pub(super) fn request(&mut self, host: &str, answer: &HttpAnswer, failed: bool) {
        let known = self.requests.iter().position(|requests| requests.host == host);
        let host = if known.is_some() || self.requests.len() < MAX_HOSTS { host } else { "other" };
        let entry = match self.requests.iter_mut().position(|requests| requests.host == host) {
            Some(at) => self.requests.get_mut(at),
            None => {
                let host = redact::bounded(host.to_owned(), MAX_TEXT_BYTES);
                self.requests.push(HostRequests { host, requests: 0, failed: 0, seconds: 0.0 });
                self.requests.last_mut()
            }
        };
        let Some(entry) = entry else { return };
        entry.requests += 1;
        entry.failed += u64::from(failed);
        match answer {
            HttpAnswer::Answered { duration_seconds, .. } => entry.seconds += duration_seconds,
            HttpAnswer::Failed { .. } => {}
        }
    }

    pub(super) fn changed(&mut self, module: &str, change: ModuleChange, from: Option<&str>, version: &str) {
        let bounded = |text: &str| redact::bounded(text.to_owned(), MAX_TEXT_BYTES);
        let changed =
            ModuleChanged { module: bounded(module), change, from: from.map(bounded), version: bounded(version) };
        list(&mut self.modules_changed, changed, &mut self.folded);
    }
}

fn list<T>(items: &mut Vec<T>, item: T, folded: &mut Folded) {
    if items.len() < MAX_LISTED { items.push(item) } else { folded.listed += 1 }
}
