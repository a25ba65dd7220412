//! The graph that `-debug-actiongraph=FILE` writes: every action of a build with its times and what it waited for.
//!
//! Source: cmd/go/internal/work/action.go (`actionJSON`). The file is written twice: as a plan without times before
//! anything runs, and with times at the end. Pure: bytes in, a graph out.
//!
//! Invariant: a graph that is cut, foreign or only a plan gives `None` or no times, never a made-up duration.

use serde::Deserialize;

use crate::Timestamp;

/// Graphs larger than this are not read: the largest builds known have some tens of thousands of actions.
const ACTIONS: usize = 500_000;

/// One action that ran: a compile, a link, a vet, a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The go command's word for it: `build`, `link`, `vet`, `test run`, ...
    pub mode: String,
    /// Import path; empty for actions of no package.
    pub package: String,
    /// When all it needs was there.
    pub ready: Timestamp,
    /// When it was taken up.
    pub start: Timestamp,
    /// When it was done.
    pub done: Timestamp,
    /// It ran a command; else its result came out of the build cache, or it had nothing to run.
    pub executed: bool,
    /// CPU seconds of its commands, user and system, where they ran.
    pub cpu_seconds: Option<f64>,
    /// It failed.
    pub failed: bool,
    deps: Vec<usize>,
}

impl Action {
    /// Seconds from start to done.
    pub fn seconds(&self) -> f64 {
        self.done.seconds_since(self.start).max(0.0)
    }
}

/// The actions of one go command.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionGraph {
    actions: Vec<Option<Action>>,
}

/// As written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(rename = "ID")]
    id: usize,
    mode: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    deps: Vec<usize>,
    #[serde(default)]
    failed: Option<serde_json::Value>,
    #[serde(default)]
    time_ready: String,
    #[serde(default)]
    time_start: String,
    #[serde(default)]
    time_done: String,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    cmd_user: i64,
    #[serde(default)]
    cmd_sys: i64,
}

impl ActionGraph {
    /// Reads a graph. `None` when it is none, or has no action with times.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let wires: Vec<Wire> = serde_json::from_slice(json).ok()?;
        if wires.len() > ACTIONS {
            return None;
        }
        let size = wires.iter().map(|wire| wire.id + 1).max().filter(|size| *size <= ACTIONS)?;
        let mut actions: Vec<Option<Action>> = (0..size).map(|_| None).collect();
        for wire in wires {
            let id = wire.id;
            if let (Some(slot), action) = (actions.get_mut(id), action(wire)) {
                *slot = action;
            }
        }
        actions.iter().any(Option::is_some).then_some(Self { actions })
    }

    /// The actions that have times, in no order that means anything.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().flatten()
    }

    /// Seconds from the first start to the last end.
    pub fn seconds(&self) -> f64 {
        let first = self.actions().map(|action| action.start).min();
        let last = self.actions().map(|action| action.done).max();
        last.zip(first).map_or(0.0, |(last, first)| last.seconds_since(first))
    }

    /// The chain of actions that ended the build: the one that was done last, what it waited for last, and so on
    /// back to the start. In the order of time; only actions that ran something.
    pub fn critical_path(&self) -> Vec<&Action> {
        let mut path = Vec::new();
        let mut next = self.actions().max_by_key(|action| action.done);
        while let Some(action) = next {
            if action.executed {
                path.push(action);
            }
            let waited_for = action.deps.iter().filter_map(|id| self.actions.get(*id)?.as_ref());
            // strictly earlier, so that a graph with a circle ends
            next = waited_for.filter(|dep| dep.done < action.done).max_by_key(|dep| dep.done);
        }
        path.reverse();
        path
    }
}

fn action(wire: Wire) -> Option<Action> {
    let start = Timestamp::parse_rfc3339(wire.time_start.as_bytes())?;
    let done = Timestamp::parse_rfc3339(wire.time_done.as_bytes())?;
    // a plan has Go's zero time
    if start.as_nanos() <= 0 || done < start {
        return None;
    }
    let executed = wire.cmd.is_some_and(|commands| !commands.is_empty());
    let cpu = (wire.cmd_user.saturating_add(wire.cmd_sys)) as f64 / 1e9;
    Some(Action {
        mode: wire.mode,
        package: wire.package,
        ready: Timestamp::parse_rfc3339(wire.time_ready.as_bytes()).unwrap_or(start),
        start,
        done,
        executed,
        cpu_seconds: executed.then_some(cpu),
        failed: wire.failed.is_some_and(|failed| failed != serde_json::Value::Bool(false) && !failed.is_null()),
        deps: wire.deps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = r#"[
        {"ID":0,"Mode":"link","Package":"a/app","Deps":[1,2],"TimeReady":"2026-01-01T00:00:05Z","TimeStart":"2026-01-01T00:00:05Z","TimeDone":"2026-01-01T00:00:06Z","Cmd":["link"]},
        {"ID":1,"Mode":"build","Package":"a/slow","Deps":[3],"TimeReady":"2026-01-01T00:00:01Z","TimeStart":"2026-01-01T00:00:01Z","TimeDone":"2026-01-01T00:00:05Z","Cmd":["compile"],"CmdUser":3000000000,"CmdSys":500000000},
        {"ID":2,"Mode":"build","Package":"a/quick","TimeReady":"2026-01-01T00:00:00Z","TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:02Z","Cmd":null},
        {"ID":3,"Mode":"build","Package":"fmt","TimeReady":"2026-01-01T00:00:00Z","TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:01Z","Cmd":["compile"]}
    ]"#;

    #[test]
    fn the_critical_path_is_what_each_step_waited_for_last() {
        let graph = ActionGraph::parse(GRAPH.as_bytes()).unwrap();
        let path: Vec<(&str, f64)> = graph.critical_path().iter().map(|a| (a.package.as_str(), a.seconds())).collect();
        assert_eq!(path, [("fmt", 1.0), ("a/slow", 4.0), ("a/app", 1.0)]);
        assert_eq!(graph.seconds(), 6.0);
        assert_eq!(
            graph.actions().filter(|a| !a.executed).map(|a| a.package.as_str()).collect::<Vec<_>>(),
            ["a/quick"]
        );
        assert_eq!(graph.actions().find(|a| a.package == "a/slow").unwrap().cpu_seconds, Some(3.5));
    }

    #[test]
    fn a_plan_a_cut_file_and_foreign_json_give_nothing() {
        let plan = r#"[{"ID":0,"Mode":"build","Package":"a","TimeReady":"0001-01-01T00:00:00Z","TimeStart":"0001-01-01T00:00:00Z","TimeDone":"0001-01-01T00:00:00Z","Cmd":null}]"#;
        for none in [plan, &GRAPH[..200], "{}", "", "[]", r#"[{"ID":99999999999,"Mode":"x"}]"#] {
            assert_eq!(ActionGraph::parse(none.as_bytes()), None, "{none}");
        }
    }
}
