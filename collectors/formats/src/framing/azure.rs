//! Azure Pipelines: the stamp of GitHub, and marks of its own beside those that both know.
//!
//! Source: microsoft/azure-pipelines-agent, `src/Microsoft.VisualStudio.Services.Agent/Logging.cs` and the logging
//! commands of its documentation.

use super::github::annotation;
use super::marks::{Mark, Marks};

/// Reads a mark that only Azure writes.
pub(crate) fn mark<'a>(_: &mut Marks, line: &'a [u8]) -> Mark<'a> {
    match annotation(line) {
        Some((b"section", _)) => Mark::End,
        Some(_) => Mark::No,
        None if line.starts_with(b"##vso[") => Mark::Own,
        None => Mark::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_logging_commands_are_its_own() {
        let mut marks = Marks::default();
        assert_eq!(mark(&mut marks, b"##[section]Starting: go test ./..."), Mark::End);
        assert_eq!(mark(&mut marks, b"##vso[task.complete result=Failed;]"), Mark::Own);
        assert_eq!(mark(&mut marks, b"## heading"), Mark::No);
    }
}
