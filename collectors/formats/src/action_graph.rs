//! The graph that `-debug-actiongraph=FILE` writes: every action of a build with its times and what it waited for.
//!
//! Source: cmd/go/internal/work/action.go (`actionJSON`), buildid.go (`useCache`). The file is written twice: as a plan
//! without times before anything runs, and with times at the end. `Failed` is of the plan and so never true; an action
//! that ran and has no build id failed. The fields are the same in Go 1.21 to 1.27; since 1.26 a look into the cache is
//! an action of its own beside the `build`, which alone has the ids. Pure: bytes in, a graph out.
//!
//! Invariant: a graph that is cut, foreign or only a plan gives `None` or no times, never a made-up duration.

use serde::Deserialize;

use crate::Timestamp;
use crate::counters::Tool;

mod command;
mod history;
mod reason;

pub use command::Compiled;
pub use history::History;
pub use reason::{Explained, Hints, Reason, Rebuilt};

/// Graphs larger than this are not read: the largest builds known have some tens of thousands of actions.
const ACTIONS: usize = 500_000;

/// One action that has times.
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
    /// It ran and failed, as far as the graph tells: builds and links do.
    pub failed: bool,
    /// What it was looked up by in the build cache; empty for what is not looked up.
    pub action_id: String,
    /// The hash of what came out; empty when nothing did.
    pub content_id: String,
    /// Where its result was put, where that is not the work folder.
    pub target: String,
    /// Which tool its time went to, where it is one of Go's.
    pub tool: Option<Tool>,
    /// How it was compiled, where it was.
    pub compiled: Option<Compiled>,
    /// Flags of the link that somebody chose, where it was linked.
    pub linked: Option<String>,
    /// What the assembler was told of the target platform, where it ran.
    environment: Option<String>,
    deps: Vec<usize>,
}

/// How the lookup of an action in the build cache ended, as the go command itself counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Found, or up to date.
    Hit,
    /// Not found.
    Miss,
}

impl Action {
    /// Seconds from start to done.
    pub fn seconds(&self) -> f64 {
        self.done.seconds_since(self.start).max(0.0)
    }

    /// How its lookup ended; `None` when it was not looked up. What a vet alone needs and was not there is not
    /// compiled, and a miss all the same; a link that only a cached test would need is a hit.
    pub fn lookup(&self) -> Option<Lookup> {
        if self.action_id.is_empty() {
            return None;
        }
        let found = !self.executed && (!self.content_id.is_empty() || self.mode == "link");
        Some(if found { Lookup::Hit } else { Lookup::Miss })
    }

    /// A package that a compiler made.
    pub fn is_compiled(&self) -> bool {
        self.mode == "build" && self.executed
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
    objdir: String,
    #[serde(default)]
    target: String,
    #[serde(default, rename = "ActionID")]
    action_id: String,
    #[serde(default, rename = "BuildID")]
    build_id: String,
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
        let size = wires.iter().map(|wire| wire.id.saturating_add(1)).max().filter(|size| *size <= ACTIONS)?;
        let mut actions: Vec<Option<Action>> = (0..size).map(|_| None).collect();
        for wire in wires {
            let id = wire.id;
            if let (Some(slot), action) = (actions.get_mut(id), action(wire)) {
                *slot = action;
            }
        }
        actions.iter().any(Option::is_some).then_some(Self { actions })
    }

    /// Whether these bytes are a plan: a whole graph of which nothing has times yet. It holds the targets that the go
    /// command is going to make, which are returned.
    pub fn plan(json: &[u8]) -> Option<Vec<String>> {
        let wires: Vec<Wire> = serde_json::from_slice(json).ok()?;
        let is_plan = !wires.is_empty() && wires.iter().all(|wire| command::time(&wire.time_done).is_none());
        let targets = wires.into_iter().filter(|wire| is_install(&wire.mode)).map(|wire| wire.target);
        is_plan.then(|| targets.filter(|target| !target.is_empty()).collect())
    }

    /// The actions that have times, in no order that means anything.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().flatten()
    }

    /// The actions that have times, by their number in the graph.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Action)> {
        self.actions.iter().enumerate().filter_map(|(id, action)| Some((id, action.as_ref()?)))
    }

    /// The action of this number, if it has times.
    fn numbered_at(&self, id: usize) -> Option<(usize, &Action)> {
        Some((id, self.actions.get(id)?.as_ref()?))
    }

    /// What an action waited for.
    pub fn deps(&self, action: &Action) -> impl Iterator<Item = (usize, &Action)> {
        action.deps.iter().filter_map(|id| Some((*id, self.actions.get(*id)?.as_ref()?)))
    }

    /// When the first action began.
    pub fn start(&self) -> Option<Timestamp> {
        self.actions().map(|action| action.start).min()
    }

    /// When the last action was done.
    pub fn done(&self) -> Option<Timestamp> {
        self.actions().map(|action| action.done).max()
    }

    /// Seconds from the first start to the last end.
    pub fn seconds(&self) -> f64 {
        self.done().zip(self.start()).map_or(0.0, |(last, first)| last.seconds_since(first))
    }

    /// The subcommand that wrote it, as far as the actions tell: `go build`, `go test`, `go vet`, `go install`.
    /// `go run` looks like `go build`.
    pub fn command(&self) -> &'static str {
        let has = |mode: &str| self.actions().any(|action| action.mode == mode);
        if has("go test") || has("test run") || has("test print") {
            "go test"
        } else if has("go vet") || (has("vet") && !has("link")) {
            "go vet"
        } else if has("go install") || has("build-install") {
            "go install"
        } else {
            "go build"
        }
    }

    /// The chain of actions that ended the build: the one that was done last, what it waited for last, and so on
    /// back to the start. In the order of time; only actions that ran something.
    pub fn critical_path(&self) -> Vec<&Action> {
        self.critical().into_iter().map(|(_, action)| action).collect()
    }

    /// The critical path with the numbers of its actions.
    pub fn critical(&self) -> Vec<(usize, &Action)> {
        let mut path = Vec::new();
        let mut next = self.numbered().max_by_key(|(_, action)| action.done);
        while let Some((id, action)) = next {
            if action.executed || is_test_run(action) {
                path.push((id, action));
            }
            // strictly earlier, so that a graph with a circle ends
            let earlier = self.deps(action).filter(|(_, dep)| dep.done < action.done);
            next = earlier.max_by_key(|(_, dep)| dep.done);
        }
        path.reverse();
        path
    }
}

/// A test binary that ran: the graph has no command of it. One that is cached takes no time worth telling.
pub fn is_test_run(action: &Action) -> bool {
    action.mode == "test run" && action.seconds() >= 0.001
}

fn is_install(mode: &str) -> bool {
    mode == "link-install" || mode == "build-install"
}

fn action(wire: Wire) -> Option<Action> {
    let start = command::time(&wire.time_start)?;
    let done = command::time(&wire.time_done)?;
    if done < start {
        return None;
    }
    let commands = wire.cmd.unwrap_or_default();
    let executed = !commands.is_empty();
    let cpu = (wire.cmd_user.saturating_add(wire.cmd_sys)) as f64 / 1e9;
    let content = wire.build_id.rsplit_once('/').map(|(_, content)| content.to_owned()).unwrap_or_default();
    let said = wire.failed.is_some_and(|failed| failed != serde_json::Value::Bool(false) && !failed.is_null());
    let nothing_came = executed && content.is_empty() && matches!(wire.mode.as_str(), "build" | "link");
    let compiled = (wire.mode == "build").then(|| command::compiled(&commands, &wire.objdir)).flatten();
    let tool = match wire.mode.as_str() {
        "build" if compiled.is_some() => Some(Tool::Compile),
        "test run" => Some(Tool::Test),
        _ => commands.iter().find_map(|it| command::tool(it)),
    };
    Some(Action {
        package: wire.package,
        ready: command::time(&wire.time_ready).filter(|ready| *ready <= start).unwrap_or(start),
        start,
        done,
        executed,
        cpu_seconds: executed.then_some(cpu),
        failed: said || nothing_came,
        action_id: wire.action_id,
        content_id: content,
        target: if is_install(&wire.mode) { wire.target } else { String::new() },
        tool,
        compiled,
        linked: (wire.mode == "link").then(|| command::linked(&commands, &wire.objdir)).flatten(),
        environment: command::environment(&commands),
        mode: wire.mode,
        deps: wire.deps,
    })
}

/// FNV-1a: the same on every machine and in every version.
fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
