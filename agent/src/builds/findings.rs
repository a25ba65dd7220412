//! Verdicts over a whole build: which failure explains the others, what was slow, how often what happened.
//!
//! A cause stands before its consequences: a proxy that refuses explains the packages that are then missing, and a
//! full disk explains everything behind it. Verdicts are drawn from the events alone.

use std::collections::BTreeMap;

use gobeacon_formats::{Failure, FailureClass};

use super::redact;
use super::summary::{ClassCount, FailureSeen, Folded, Slow};
use super::times::At;

/// Failures kept with their text. More than a person reads; the classes of all are counted.
const MAX_FAILURES: usize = 100;
/// Longest message kept, in bytes: the kept failures of one build stay within 200 KiB.
const MAX_MESSAGE_BYTES: usize = 2 * 1024;
/// How many of the slowest packages and tests are named.
const MAX_SLOW: usize = 10;

/// Where in the work of a go command a class of failure sits: the earlier ones can cause the later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// What is downloaded is not what it should be.
    Integrity,
    /// The machine and its settings.
    Environment,
    /// Proxies, networks, repositories.
    Supply,
    /// go.mod, go.sum, go.work, and which packages there are.
    Modules,
    /// Compilers and linkers.
    Compile,
    Vet,
    /// A test that says why it failed.
    Test,
    /// A test binary or program that ended badly, without saying more.
    Exit,
    Unknown,
}

/// The stage of a class.
pub(super) const fn stage(class: FailureClass) -> Stage {
    use FailureClass as C;
    match class {
        C::ChecksumGosumMismatch
        | C::ChecksumSumdbMismatch
        | C::ChecksumSumdbMissing
        | C::ChecksumSumdbForked
        | C::ChecksumSumdbSignature
        | C::ModcacheCorrupt => Stage::Integrity,
        C::EnvInvalid
        | C::EnvGoflags
        | C::EnvHomeMissing
        | C::CacheDisabled
        | C::CacheUnavailable
        | C::IoPermission
        | C::IoDiskFull
        | C::ToolchainTooOld
        | C::ToolchainUnavailable
        | C::ToolchainInvalid => Stage::Environment,
        C::ChecksumSumdbUnreachable
        | C::ChecksumSumdbConfig
        | C::ProxyBadRequest
        | C::ProxyUnauthorized
        | C::ProxyForbidden
        | C::ProxyNotFound
        | C::ProxyAuthRequired
        | C::ProxyRateLimited
        | C::ProxyServerError
        | C::ProxyOff
        | C::ProxyConfig
        | C::ProxyRedirect
        | C::ProxyInvalidContent
        | C::NetworkRefused
        | C::NetworkDns
        | C::NetworkTimeout
        | C::NetworkTls
        | C::NetworkReset
        | C::NetworkProxy
        | C::VcsAuth
        | C::VcsNotFound
        | C::VcsToolMissing
        | C::VcsForbidden
        | C::VcsInsecure => Stage::Supply,
        C::GosumMissingEntry
        | C::GosumMalformed
        | C::GomodUpdatesNeeded
        | C::GomodInvalid
        | C::GomodNotFound
        | C::ModulePathMismatch
        | C::ModuleNeedsNewerGo
        | C::ModuleVersionInvalid
        | C::PackageMissing
        | C::PackageImportCycle
        | C::PackageNoGoFiles
        | C::PackageConflict
        | C::VendorInconsistent
        | C::WorkspaceInvalid
        // `no packages to vet`, a relative import: it says no more than what else is wrong with packages
        | C::Usage => Stage::Modules,
        C::CompileError | C::CompileSyntax | C::LinkError | C::CgoError => Stage::Compile,
        C::VetFinding => Stage::Vet,
        C::TestPanic | C::TestTimeout | C::TestRace | C::TestFailed => Stage::Test,
        C::TestExit | C::ProgramCrashed | C::Interrupted => Stage::Exit,
        C::Unknown => Stage::Unknown,
    }
}

/// How telling a class is: the lower, the more. Within a stage the classes are equals, but for a test that failed
/// plainly, which says less than one that panicked, and for misuse, of which packages that are missing are the reason.
pub(super) fn rank(class: FailureClass) -> (Stage, bool) {
    (stage(class), matches!(class, FailureClass::TestFailed | FailureClass::Usage))
}

/// Whether `cause` explains `effect`, both of one build.
fn explains(cause: &Failure, effect: &Failure) -> bool {
    let same_package = cause.package.is_some() && cause.package == effect.package;
    let (cause_stage, effect_stage) = (stage(cause.class), stage(effect.class));
    if cause.class == FailureClass::IoDiskFull {
        return effect_stage > Stage::Environment || effect.class == FailureClass::CacheUnavailable;
    }
    if effect.class == FailureClass::Usage && effect.file.is_none() {
        // nothing to build or vet is left when packages cannot be loaded
        return cause.class != FailureClass::Usage && cause_stage == Stage::Modules;
    }
    if cause.class == FailureClass::Interrupted {
        return effect.class == FailureClass::TestExit;
    }
    let refused = effect_stage == Stage::Modules && cause_stage <= Stage::Supply;
    let unvetted = effect_stage == Stage::Vet && cause_stage == Stage::Compile && same_package;
    refused || unvetted || (effect_stage == Stage::Exit && cause_stage == Stage::Test && same_package)
}

/// What is gathered while a build is open.
#[derive(Debug, Default)]
pub(super) struct Findings {
    failures: Vec<FailureSeen>,
    counts: BTreeMap<FailureClass, u64>,
    slow_packages: Vec<Slow>,
    slow_tests: Vec<Slow>,
    /// Something failed, whether or not the log says why.
    failed: bool,
    listed_out: u64,
}

/// The verdicts.
#[derive(Debug)]
pub(super) struct Verdicts {
    pub(super) failures: Vec<FailureSeen>,
    pub(super) primary: Option<usize>,
    pub(super) counts: Vec<ClassCount>,
    pub(super) slowest_packages: Vec<Slow>,
    pub(super) slowest_tests: Vec<Slow>,
}

impl Findings {
    /// A failure. The most telling ones are kept where not all can be.
    pub(super) fn failure(&mut self, failure: &Failure, at: At, offset: u64) {
        self.failed = true;
        *self.counts.entry(failure.class).or_default() += 1;
        if self.failures.len() == MAX_FAILURES {
            self.listed_out += 1;
            let last = self.failures.iter().enumerate().max_by_key(|(index, seen)| (rank(seen.failure.class), *index));
            let Some((index, last)) = last else { return };
            if rank(last.failure.class) <= rank(failure.class) {
                return;
            }
            self.failures.remove(index);
        }
        let mut failure = failure.clone();
        failure.message = failure.message.map(|text| redact::bounded(redact::message(&text), MAX_MESSAGE_BYTES));
        failure.url = failure.url.map(|url| redact::url(&url));
        self.failures.push(FailureSeen { failure, time: at.time, offset, consequence: false });
    }

    /// Something failed that a failure may or may not tell of.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// Whether anything failed so far.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// How many failures there were.
    pub(super) fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The most telling failure so far.
    pub(super) fn primary(&self) -> Option<&FailureSeen> {
        self.failures.iter().min_by_key(|seen| rank(seen.failure.class))
    }

    /// The most telling failure of a package.
    pub(super) fn of_package(&self, package: &str) -> Option<&Failure> {
        let of = self.failures.iter().map(|seen| &seen.failure).filter(|f| f.package.as_deref() == Some(package));
        of.min_by_key(|failure| rank(failure.class))
    }

    /// Whether any failure sits in one of these stages.
    pub(super) fn any_in(&self, stages: &[Stage]) -> bool {
        self.counts.keys().any(|class| stages.contains(&stage(*class)))
    }

    /// Whether there was a failure of this class.
    pub(super) fn has_class(&self, class: FailureClass) -> bool {
        self.counts.contains_key(&class)
    }

    pub(super) fn slow_package(&mut self, package: &str, seconds: Option<f64>) {
        keep_slow(&mut self.slow_packages, Some(package), None, seconds);
    }

    pub(super) fn slow_test(&mut self, package: Option<&str>, test: &str, seconds: Option<f64>) {
        keep_slow(&mut self.slow_tests, package, Some(test), seconds);
    }

    /// Draws the verdicts.
    pub(super) fn verdicts(mut self, folded: &mut Folded) -> Verdicts {
        folded.listed += self.listed_out;
        let primary =
            (0..self.failures.len()).min_by_key(|index| self.failures.get(*index).map(|seen| rank(seen.failure.class)));
        let consequences: Vec<bool> = self
            .failures
            .iter()
            .map(|effect| self.failures.iter().any(|cause| explains(&cause.failure, &effect.failure)))
            .collect();
        for (seen, consequence) in self.failures.iter_mut().zip(consequences) {
            seen.consequence = consequence;
        }
        Verdicts {
            failures: self.failures,
            primary,
            counts: self.counts.into_iter().map(|(class, count)| ClassCount { class, count }).collect(),
            slowest_packages: self.slow_packages,
            slowest_tests: self.slow_tests,
        }
    }
}

/// Keeps the slowest, slowest first; what took no time is not slow.
fn keep_slow(list: &mut Vec<Slow>, package: Option<&str>, test: Option<&str>, seconds: Option<f64>) {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0) else { return };
    if list.len() == MAX_SLOW && list.last().is_some_and(|least| least.seconds >= seconds) {
        return;
    }
    let at = list.partition_point(|slow| slow.seconds >= seconds);
    if at < MAX_SLOW {
        let bounded = |text: &str| redact::bounded(text.to_owned(), MAX_MESSAGE_BYTES);
        list.insert(at, Slow { package: package.map(bounded), test: test.map(bounded), seconds });
        list.truncate(MAX_SLOW);
    }
}

#[cfg(test)]
mod tests {
    use gobeacon_formats::Timestamp;

    use super::*;

    const NOW: At = At { time: Timestamp::from_nanos(0), observed: Timestamp::from_nanos(0), stamped: false };

    fn found(failures: Vec<Failure>) -> Verdicts {
        let mut findings = Findings::default();
        for failure in failures {
            findings.failure(&failure, NOW, 0);
        }
        findings.verdicts(&mut Folded::default())
    }

    fn failure(class: FailureClass, package: Option<&str>) -> Failure {
        Failure { package: package.map(str::to_owned), ..Failure::new(class) }
    }

    #[test]
    fn nothing_to_vet_follows_from_packages_that_cannot_be_loaded() {
        let verdicts = found(vec![failure(FailureClass::Usage, None), failure(FailureClass::PackageNoGoFiles, None)]);
        assert_eq!(verdicts.primary, Some(1));
        assert_eq!(verdicts.failures.iter().map(|f| f.consequence).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn the_cause_is_primary_and_its_consequences_are_marked() {
        let verdicts = found(vec![
            failure(FailureClass::PackageMissing, Some("a")),
            failure(FailureClass::ProxyForbidden, None),
            failure(FailureClass::TestFailed, Some("b")),
        ]);
        assert_eq!(verdicts.primary, Some(1));
        assert_eq!(verdicts.failures.iter().map(|f| f.consequence).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn the_order_is_integrity_supply_modules_compile_vet_test() {
        use FailureClass as C;
        let order = [
            C::ChecksumGosumMismatch,
            C::NetworkDns,
            C::GomodUpdatesNeeded,
            C::CompileError,
            C::VetFinding,
            C::TestPanic,
            C::TestFailed,
            C::TestExit,
        ];
        assert!(order.is_sorted_by(|a, b| rank(*a) < rank(*b)));
    }

    #[test]
    fn no_failure_is_explained_by_itself() {
        for row in gobeacon_formats::FAILURES {
            let failure = failure(row.class, Some("p"));
            assert!(!explains(&failure, &failure), "{}", row.id);
        }
    }

    #[test]
    fn of_a_million_failures_the_telling_one_is_kept_and_all_are_counted() {
        let mut findings = Findings::default();
        for _ in 0..100_000 {
            findings.failure(&failure(FailureClass::TestFailed, Some("p")), NOW, 0);
        }
        findings.failure(&failure(FailureClass::IoDiskFull, None), NOW, 0);
        let mut folded = Folded::default();
        let verdicts = findings.verdicts(&mut folded);
        assert_eq!(verdicts.failures.len(), MAX_FAILURES);
        assert_eq!(verdicts.primary.map(|at| verdicts.failures[at].failure.class), Some(FailureClass::IoDiskFull));
        assert_eq!(folded.listed, 100_001 - MAX_FAILURES as u64);
        assert_eq!(verdicts.counts.iter().map(|count| count.count).sum::<u64>(), 100_001);
    }

    #[test]
    fn the_slowest_come_first_and_only_ten_of_them() {
        let mut list = Vec::new();
        for n in 0..100 {
            keep_slow(&mut list, Some("p"), Some(&n.to_string()), Some(f64::from(n)));
        }
        assert_eq!(list.len(), MAX_SLOW);
        assert_eq!(list[0].seconds, 99.0);
    }
}
