//! What was found wrong in module caches, as log events for people and backends.
//!
//! Sans-I/O: reports come in, log records go out; time comes with the reports. It belongs to no build, so the records
//! have no trace; each has a `log.record.uid` made of what it tells, so that one that is delivered twice is one.
//!
//! Invariant: what is said to be wrong is what most or the best witnesses contradict; where nothing tells, that is said.

pub(crate) mod advice;
#[cfg(test)]
pub(crate) mod catalogue;

use std::sync::Arc;

use gobeacon_collectors::integrity::{Conflict, Corrupt, Event, Report, Side};
use gobeacon_formats::{Artifact, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::builds::build::{Attributes, LogRecord, LogSeverity, Telemetry, Value};
use crate::builds::{self, Outcome, redact};

/// Most witnesses that one record names.
const MOST_WITNESSES: usize = 32;
/// Longest text of a body or an attribute, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Makes records of reports.
#[derive(Debug)]
pub(crate) struct Incidents {
    resource: Arc<Attributes>,
    host_id: String,
}

impl Incidents {
    /// For the machine that `settings` name.
    pub(crate) fn new(settings: &builds::Settings) -> Self {
        let mut resource: Attributes = vec![
            ("service.name", text("go-build")),
            ("telemetry.distro.name", text("gobeacon")),
            ("telemetry.distro.version", text(env!("CARGO_PKG_VERSION"))),
        ];
        if let Some(name) = &settings.host_name {
            resource.push(("host.name", text(name)));
        }
        Self { resource: Arc::new(resource), host_id: settings.host_id.clone() }
    }

    /// Tells what a report says: in the agent's own log, and as log events.
    pub(crate) fn apply(&self, report: &Report, out: &mut Vec<Outcome>) {
        for event in &report.events {
            match event {
                Event::Verified(_) => {}
                Event::Conflict(it) => {
                    tracing::error!(module = it.module, version = it.version, "hashes of a cached module disagree");
                }
                Event::Corrupt(it) => {
                    let place = it.place.display();
                    tracing::error!(module = it.module, version = it.version, %place, "a cached module is corrupt");
                }
                Event::Resolved { module, version } => {
                    tracing::info!(module, version, "a cached module is in order again");
                }
            }
        }
        out.extend(self.telemetry(report).map(Outcome::Telemetry));
    }

    /// The records of a report; `None` where there is nothing to tell.
    fn telemetry(&self, report: &Report) -> Option<Telemetry> {
        let logs: Vec<_> = report
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Conflict(conflict) => Some(self.conflict(conflict, report.observed)),
                Event::Corrupt(corrupt) => Some(self.corrupt(corrupt, report.observed)),
                Event::Verified(_) | Event::Resolved { .. } => None,
            })
            .collect();
        (!logs.is_empty()).then(|| Telemetry { resource: Arc::clone(&self.resource), spans: Vec::new(), logs })
    }

    /// `gobuild.module.hash_conflict`
    fn conflict(&self, conflict: &Conflict, observed: Timestamp) -> LogRecord {
        let Conflict { module, version, artifact, sides } = conflict;
        let said = || sides.iter().flat_map(|side| side.witnesses.iter().map(move |it| (side, it)));
        let all = |of: &dyn Fn(&Side, &gobeacon_collectors::integrity::Witness) -> String| {
            Value::Strs(said().take(MOST_WITNESSES).map(|(side, witness)| of(side, witness)).collect())
        };
        let hashes = sides.iter().map(|side| side.sum.to_string()).collect();
        let attributes = vec![
            ("gobuild.module.path", text(module)),
            ("gobuild.module.version", text(version)),
            ("gobuild.checksum.artifact", text(artifact_name(*artifact))),
            ("gobuild.conflict.hashes", Value::Strs(hashes)),
            ("gobuild.conflict.witness.hashes", all(&|side, _| side.sum.to_string())),
            ("gobuild.conflict.witness.sources", all(&|_, witness| witness.source.name().to_owned())),
            ("gobuild.conflict.witness.places", all(&|_, witness| witness.place.to_string_lossy().into_owned())),
            ("gobuild.conflict.witness.first_seen", all(&|_, witness| time(witness.first_seen))),
            ("gobuild.conflict.witness.written", all(&|_, witness| time(witness.written))),
            ("gobuild.failure.remedy", text(&advice::on_conflict(conflict))),
        ];
        let body = format!("{module}@{version}: {}", advice::told(conflict));
        self.record("gobuild.module.hash_conflict", body, attributes, observed)
    }

    /// `gobuild.module.corrupt`
    fn corrupt(&self, corrupt: &Corrupt, observed: Timestamp) -> LogRecord {
        let Corrupt { module, version, part, place, detail, found, expected } = corrupt;
        let place = place.to_string_lossy();
        let mut attributes = vec![
            ("gobuild.module.path", text(module)),
            ("gobuild.module.version", text(version)),
            ("gobuild.corrupt.part", text(part.name())),
            ("gobuild.corrupt.detail", text(detail)),
            ("file.path", text(&place)),
            ("gobuild.failure.remedy", text(advice::on_corrupt(*part))),
        ];
        for (name, sum) in [("gobuild.checksum.found", found), ("gobuild.checksum.expected", expected)] {
            if let Some(sum) = sum {
                attributes.push((name, text(&sum.to_string())));
            }
        }
        let body = format!("{module}@{version}: {} is corrupt: {detail} ({place}).", advice::part(*part));
        self.record("gobuild.module.corrupt", body, attributes, observed)
    }

    fn record(
        &self,
        event_name: &'static str,
        body: String,
        mut attributes: Attributes,
        observed: Timestamp,
    ) -> LogRecord {
        let hash = Sha256::new()
            .chain_update((self.host_id.len() as u64).to_le_bytes())
            .chain_update(&self.host_id)
            .chain_update(event_name)
            .chain_update(&body)
            .finalize();
        let uid: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        attributes.push(("log.record.uid", Value::Str(uid.into())));
        LogRecord {
            event_name,
            time: observed,
            observed,
            severity: LogSeverity::Error,
            body: redact::bounded(body, MAX_TEXT_BYTES),
            trace_id: None,
            span_id: None,
            attributes,
        }
    }
}

fn text(value: &str) -> Value {
    Value::Str(redact::bounded(value.to_owned(), MAX_TEXT_BYTES).into())
}

/// As `gobuild.checksum.artifact` has it elsewhere.
pub(crate) fn artifact_name(artifact: Artifact) -> &'static str {
    match artifact {
        Artifact::Zip => "zip",
        Artifact::GoMod => "go.mod",
    }
}

/// RFC 3339; empty for a time that there is not.
fn time(timestamp: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(timestamp.as_nanos().into()).map(|it| it.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use std::path::PathBuf;

    use gobeacon_collectors::integrity::{Part, Source, Witness};
    use gobeacon_formats::h1::H1;

    use super::catalogue::EVENTS;
    use super::*;
    use crate::builds::catalogue::known;

    fn side(byte: u8, said_by: &[(Source, &str)]) -> Side {
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let witness = |(source, place): &(Source, &str)| Witness {
            source: *source,
            place: PathBuf::from(place),
            written: at,
            first_seen: at,
        };
        Side { sum: H1([byte; 32]), witnesses: said_by.iter().map(witness).collect() }
    }

    pub(super) fn retagged() -> Conflict {
        let (module, version) = ("a.b/c".to_owned(), "v1.0.0".to_owned());
        let one = side(1, &[(Source::Zip, "/one/v1.0.0.zip"), (Source::Sumdb, "/one/lookup")]);
        let sides = vec![one, side(2, &[(Source::Zip, "/two/v1.0.0.zip")])];
        Conflict { module, version, artifact: Artifact::Zip, sides }
    }

    fn report() -> Report {
        let corrupt = Corrupt {
            module: "a.b/c".to_owned(),
            version: "v1.0.0".to_owned(),
            part: Part::Tree,
            place: PathBuf::from("/one/a.b/c@v1.0.0"),
            detail: "edited: c.go".to_owned(),
            found: Some(H1([1; 32])),
            expected: Some(H1([2; 32])),
        };
        let events = vec![
            Event::Verified(7),
            Event::Conflict(Box::new(retagged())),
            Event::Corrupt(Box::new(corrupt)),
            Event::Resolved { module: "x".to_owned(), version: "v1".to_owned() },
        ];
        Report { observed: Timestamp::from_nanos(5), conflicts: 1, events }
    }

    #[test]
    fn conflicts_and_corruption_are_told_with_hashes_places_times_and_what_to_do() {
        let telemetry = Incidents::new(&builds::Settings::default()).telemetry(&report()).unwrap();
        assert_eq!((telemetry.spans.len(), telemetry.logs.len()), (0, 2));
        let find = |record: &LogRecord, name: &str| {
            record.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        let conflict = &telemetry.logs[0];
        let strings = |name: &str| match find(conflict, name) {
            Some(Value::Strs(all)) => all,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(strings("gobuild.conflict.hashes").len(), 2);
        assert_eq!(strings("gobuild.conflict.witness.places"), ["/one/v1.0.0.zip", "/one/lookup", "/two/v1.0.0.zip"]);
        assert_eq!(strings("gobuild.conflict.witness.first_seen")[0], "2023-11-14T22:13:20Z");
        assert!(
            conflict.body.contains("a.b/c@v1.0.0") && conflict.body.contains("/two/v1.0.0.zip"),
            "{}",
            conflict.body
        );
        assert!(telemetry.logs[1].body.contains("edited: c.go"));
    }

    #[test]
    fn every_attribute_stands_in_the_catalogue_and_the_same_finding_has_the_same_id() {
        let incidents = Incidents::new(&builds::Settings::default());
        let (first, second) = (incidents.telemetry(&report()).unwrap(), incidents.telemetry(&report()).unwrap());
        assert_eq!(first, second);
        for record in first.logs {
            let row = EVENTS.iter().find(|row| row.name == record.event_name).unwrap();
            assert!(row.severities.contains(&record.severity));
            known(row.name, &record.attributes, row.attributes, &mut BTreeSet::new());
            for attribute in row.attributes {
                assert!(record.attributes.iter().any(|(name, _)| *name == attribute.name), "{}", attribute.name);
            }
        }
    }

    #[test]
    fn good_news_are_no_records() {
        let report = Report { observed: Timestamp::from_nanos(5), conflicts: 0, events: vec![Event::Verified(7)] };
        assert_eq!(Incidents::new(&builds::Settings::default()).telemetry(&report), None);
    }
}
