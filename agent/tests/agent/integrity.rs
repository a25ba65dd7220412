//! What is wrong in module caches: on the page of metrics, and as log events at the backend.

use std::fs;

use crate::modules::module;
use crate::otlp_receiver::Receiver;
use crate::program::{Agent, wait_for};

#[test]
fn a_version_that_is_another_one_in_a_second_cache_is_an_event_and_leaves_the_gauge_when_it_is_repaired() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let it = module("corp.example/lib", "package lib\n");
    it.put(&one);
    module("corp.example/lib", "package lib // moved\n").put(&two);
    let arguments = [
        "--otlp-endpoint",
        &receiver.url(),
        "--otlp-protocol",
        "http/protobuf",
        "--modcache",
        one.to_str().unwrap(),
        "--modcache",
        two.to_str().unwrap(),
    ];
    let agent = Agent::start(folder.path(), &arguments, &[]);
    agent.wait_for_line("gobuild_module_hash_conflicts 1");
    agent.wait_for_line("gobuild_checksum_mismatches_total{artifact=\"zip\",verifier=\"cache\"} 1");
    let record = wait_for("the event", || {
        let logs = receiver.logs();
        let found = logs.iter().find(|(_, log)| log.event_name == "gobuild.module.hash_conflict");
        found.map(|(_, log)| log.clone()).ok_or(format!("{} events", logs.len()))
    });
    let said = format!("{record:?}");
    for part in ["corp.example/lib", "v1.0.0", &it.h1().to_string(), one.to_str().unwrap(), two.to_str().unwrap()] {
        assert!(said.contains(part), "{part} in {said}");
    }

    fs::remove_dir_all(&two).unwrap();
    it.put(&two);
    agent.wait_for_line("gobuild_module_hash_conflicts 0");
    fs::write(it.file(&one, "zip"), "no zip at all").unwrap();
    agent.wait_for_line("gobuild_module_corrupt_total 1");
    let told = |name: &str| receiver.logs().iter().filter(|(_, log)| log.event_name == name).count();
    wait_for(
        "the other event",
        || if told("gobuild.module.corrupt") == 1 { Ok(()) } else { Err("not yet".to_owned()) },
    );
    assert_eq!(told("gobuild.module.hash_conflict"), 1, "told once");
}
