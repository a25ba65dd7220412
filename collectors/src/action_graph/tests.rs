//! Folders of graphs as go commands write them.

use std::fs;
use std::path::Path;

use super::*;

fn graph(second: u32, times: bool) -> String {
    let time = |at: u32| if times { format!("2026-01-01T00:00:{at:02}Z") } else { "0001-01-01T00:00:00Z".to_owned() };
    format!(
        r#"[{{"ID":0,"Mode":"build","Package":"a","TimeStart":"{}","TimeDone":"{}","Cmd":null}}]"#,
        time(second),
        time(second + 1)
    )
}

/// The collector on one folder.
struct Trial {
    running: Running,
    from: mpsc::Receiver<Observation>,
}

impl Trial {
    fn new(folder: &Path) -> Self {
        let (to, from) = mpsc::channel(2);
        let settings = Settings { dirs: vec![folder.to_str().unwrap().to_owned()], rescan: Duration::from_millis(100) };
        Self { running: start(settings, to).unwrap(), from }
    }

    fn next(&mut self) -> Option<Report> {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < Duration::from_secs(60), "the collector says nothing");
            match self.from.try_recv() {
                Ok(Observation::ActionGraph(report)) => return Some(report),
                Ok(other) => panic!("{other:?}"),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
    }

    fn began(&mut self) -> f64 {
        let first = Timestamp::parse_rfc3339(b"2026-01-01T00:00:00Z").unwrap();
        self.next().unwrap().graph.start().unwrap().seconds_since(first)
    }

    /// Ends it; gives out what it had to say still.
    fn rest(mut self) -> Vec<Report> {
        self.running.stop(Duration::from_secs(10));
        std::iter::from_fn(|| self.next()).collect()
    }
}

#[test]
fn each_graph_is_told_once_though_the_next_command_overwrites_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.json");
    let mut trial = Trial::new(folder.path());
    for second in [3, 7, 9] {
        fs::write(&path, graph(second, false)).unwrap();
        fs::write(&path, graph(second, true)).unwrap();
        assert_eq!(trial.began(), f64::from(second));
        // as it stands again: nothing new
        fs::write(&path, graph(second, true)).unwrap();
    }
    assert_eq!(trial.rest().len(), 0);
}

#[test]
fn what_was_there_before_is_said_to_be_and_many_files_are_all_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("old.json"), graph(1, true)).unwrap();
    let mut trial = Trial::new(folder.path());
    assert!(trial.next().unwrap().before);
    (0..50).for_each(|n| fs::write(folder.path().join(format!("{n}.json")), graph(n, true)).unwrap());
    let mut paths: Vec<_> = (0..50).map(|_| trial.next().unwrap()).map(|it| (it.before, it.path)).collect();
    paths.sort();
    paths.dedup();
    assert!(paths.len() == 50 && paths.iter().all(|(before, _)| !before));
    assert_eq!(trial.rest().len(), 0);
}

#[test]
fn a_plan_says_which_targets_were_there_and_a_broken_file_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (target, graphs) = (folder.path().join("app"), folder.path().join("graphs"));
    fs::create_dir(&graphs).unwrap();
    fs::write(&target, b"").unwrap();
    let install = |times| {
        let target = format!(r#""Mode":"link-install","Target":"{}""#, target.display());
        graph(1, times).replace(r#""Mode":"build""#, &target)
    };
    let mut files = Files::default();
    let (health, mut told) = (Health::default(), VecDeque::new());
    let mut scan = |files: &mut Files| {
        files.scan(std::slice::from_ref(&graphs), false, &health, &mut told);
        told.pop_front()
    };
    fs::write(graphs.join("g.json"), install(false)).unwrap();
    assert!(scan(&mut files).is_none());
    // longer, so that a coarse clock cannot hide the change
    fs::write(graphs.join("g.json"), install(true) + "\n\n").unwrap();
    assert_eq!(scan(&mut files).unwrap().targets, [target.to_str().unwrap()]);
    fs::write(graphs.join("cut.json"), &install(true)[..40]).unwrap();
    assert!(scan(&mut files).is_none() && scan(&mut files).is_none() && scan(&mut files).is_none());
    let malformed = health.read().errors.into_iter().find(|(it, _)| *it == Problem::Malformed).unwrap();
    assert_eq!(malformed.1, 1);
}
