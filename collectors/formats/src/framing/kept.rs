//! Parts of a line that wait for others, in a form that outlives the process.
//!
//! Invariant: what is made of it again is joined to the same line; what is of no framing that is known is nothing.

use serde::{Deserialize, Serialize};

use super::FRAMINGS;
use super::piece::{Join, KeptJoin};
use super::records::Parts;
use crate::line::Tag;

/// [`Parts`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptParts {
    framing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out: Option<KeptJoin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err: Option<KeptJoin>,
}

impl Parts {
    /// The same as plain data; `None` where their framing has no name.
    pub fn kept(&self) -> Option<KeptParts> {
        let is_ours = |read| std::ptr::fn_addr_eq(read, self.read);
        let framing = FRAMINGS.iter().find(|framing| framing.record.is_some_and(is_ours))?;
        let [out, err] = self.joins.each_ref().map(Join::kept);
        Some(KeptParts { framing: framing.name.to_owned(), out, err })
    }
}

impl KeptParts {
    /// What it was; `None` where no framing has this name any more.
    pub fn parts(&self) -> Option<Parts> {
        let read = FRAMINGS.iter().find(|framing| framing.name == self.framing)?.record?;
        let join = |kept: &Option<KeptJoin>, tag| kept.as_ref().map(|kept| kept.join(tag)).unwrap_or_default();
        Some(Parts { read, joins: [join(&self.out, Tag::Out), join(&self.err, Tag::Err)] })
    }
}
