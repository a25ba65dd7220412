//! What the agent must remember over its own death: how far logs were read, what of them was open, and what it has
//! counted and not shown.
//!
//! The loop notes what it has taken in (`ledger`); about once a second what changed is one record of the journal
//! (`journal`), written by a thread of its own (`keeper`) once everything that came of it is safe. It must not know how
//! logs are followed, what a build is, or where spans go.
//!
//! Invariants: a record is whole or not there; no file in the folder keeps the agent from starting; where nothing can
//! be written the agent runs on, counts that and says it once.

mod entry;
mod journal;
mod keeper;
mod ledger;

pub(crate) use entry::Remembered;
pub(crate) use keeper::{Keeper, Safety};
pub(crate) use ledger::Ledger;

#[cfg(test)]
mod tests;
