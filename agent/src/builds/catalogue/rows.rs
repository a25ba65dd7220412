//! What a row of the catalogue is, how one is written, and what holds the code against it.
//!
//! Invariant: what is set and is no row, or has another type than its row, fails the test that set it.

use std::collections::BTreeSet;

use crate::builds::build::{Attributes, LogSeverity, SpanKind, Value};

/// The type of a value, as OTLP has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Whole,
    Number,
    Truth,
    Texts,
}

impl Type {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Str(_) => Self::Text,
            Value::Int(_) => Self::Whole,
            Value::Float(_) => Self::Number,
            Value::Bool(_) => Self::Truth,
            Value::Strs(_) => Self::Texts,
        }
    }

    /// Its name in the specification of OpenTelemetry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Whole => "int",
            Self::Number => "double",
            Self::Truth => "boolean",
            Self::Texts => "string[]",
        }
    }
}

/// One attribute of one kind of span or log event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// UCUM, where the value is a quantity.
    pub(crate) unit: Option<&'static str>,
    pub(crate) meaning: &'static str,
    /// When it is there.
    pub(crate) when: &'static str,
}

/// One kind of span.
#[derive(Debug)]
pub(crate) struct SpanRow {
    /// `go SUBCOMMAND` stands for all roots.
    pub(crate) name: &'static str,
    pub(crate) kind: SpanKind,
    pub(crate) parent: &'static str,
    pub(crate) what: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

/// One kind of log event.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) name: &'static str,
    pub(crate) severities: &'static [LogSeverity],
    pub(crate) when: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

pub(crate) const fn text(name: &'static str, meaning: &'static str, when: &'static str) -> Attribute {
    Attribute { name, kind: Type::Text, unit: None, meaning, when }
}

pub(crate) const fn texts(name: &'static str, meaning: &'static str, when: &'static str) -> Attribute {
    Attribute { name, kind: Type::Texts, unit: None, meaning, when }
}

pub(crate) const fn truth(name: &'static str, meaning: &'static str, when: &'static str) -> Attribute {
    Attribute { name, kind: Type::Truth, unit: None, meaning, when }
}

pub(crate) const fn whole(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    when: &'static str,
) -> Attribute {
    let unit = if unit.is_empty() { None } else { Some(unit) };
    Attribute { name, kind: Type::Whole, unit, meaning, when }
}

pub(crate) const fn number(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    when: &'static str,
) -> Attribute {
    Attribute { name, kind: Type::Number, unit: Some(unit), meaning, when }
}

/// A count that is left out where it is zero.
pub(crate) const fn some(name: &'static str, unit: &'static str, meaning: &'static str) -> Attribute {
    whole(name, unit, meaning, "not zero")
}

pub(crate) const ALWAYS: &str = "always";

/// Holds what the code has set for `of` against its rows: every name is one of them and has its type, and what is there
/// always is there. What was set is added to `seen`.
#[track_caller]
pub(crate) fn known(of: &str, set: &Attributes, rows: &[Attribute], seen: &mut BTreeSet<String>) {
    for (name, value) in set {
        let row = rows.iter().find(|row| row.name == *name);
        assert_eq!(row.map(|row| row.kind), Some(Type::of(value)), "`{name}` of {of} in the catalogue");
        seen.insert(format!("{of}: {name}"));
    }
    for row in rows.iter().filter(|row| row.when == ALWAYS) {
        assert!(set.iter().any(|(name, _)| *name == row.name), "{of} has no `{}`: {set:?}", row.name);
    }
}
