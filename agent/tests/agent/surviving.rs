//! kill -9 at any instant: nothing is lost, nothing counts twice.

use crate::lives::{Lives, undisturbed};
use crate::otlp_receiver::Answer;

/// Several go commands of several kinds.
pub(crate) const LOG: &str = "\
+ go mod download -x
# get https://proxy.golang.org/corp.example/a/@v/v1.0.0.zip
# get https://proxy.golang.org/corp.example/a/@v/v1.0.0.zip: 200 OK (0.100s)
go: downloading corp.example/b v1.2.0
+ go build ./...
go: downloading corp.example/c v1.3.0
corp.example/app/a
corp.example/app/b
# corp.example/app/c
app/c/c.go:7:2: undefined: x
+ go test -v ./...
=== RUN   TestOne
=== RUN   TestOne/sub
    one_test.go:9: said
--- PASS: TestOne (0.30s)
    --- PASS: TestOne/sub (0.10s)
=== RUN   TestTwo
    two_test.go:7: no
--- FAIL: TestTwo (0.20s)
FAIL
FAIL\tcorp.example/app/a\t0.512s
=== RUN   TestThree
--- PASS: TestThree (0.00s)
PASS
ok  \tcorp.example/app/b\t0.100s
+ go test -json ./...
{\"Time\":\"2026-01-02T03:04:05Z\",\"Action\":\"start\",\"Package\":\"corp.example/app/d\"}
{\"Time\":\"2026-01-02T03:04:05Z\",\"Action\":\"run\",\"Package\":\"corp.example/app/d\",\"Test\":\"TestD\"}
{\"Time\":\"2026-01-02T03:04:06Z\",\"Action\":\"output\",\"Package\":\"corp.example/app/d\",\"Test\":\"TestD\",\"Output\":\"--- FAIL: TestD (1.00s)\\n\"}
{\"Time\":\"2026-01-02T03:04:06Z\",\"Action\":\"fail\",\"Package\":\"corp.example/app/d\",\"Test\":\"TestD\",\"Elapsed\":1}
{\"Time\":\"2026-01-02T03:04:06Z\",\"Action\":\"fail\",\"Package\":\"corp.example/app/d\",\"Elapsed\":1.1}
+ go version
";

pub(crate) fn lines(text: &str) -> f64 {
    text.matches('\n').count() as f64
}

#[test]
fn killed_behind_every_line_it_loses_and_doubles_nothing() {
    let (counters, spans, events) = undisturbed(&[("a.log", LOG.to_owned())], lines(LOG));
    let mut lives = Lives::new();
    lives.begin();
    let mut written = 0.0;
    for (n, line) in LOG.split_inclusive('\n').enumerate() {
        lives.append("a.log", line);
        written += 1.0;
        // sometimes at once, sometimes when it was shown
        if n % 3 != 0 {
            lives.wait_for("gobeacon_log_lines_total", written);
        }
        lives.kill();
        lives.begin();
    }
    lives.wait_for("gobeacon_log_lines_total", written);
    assert_eq!(lives.settled(), counters);
    lives.end();
    assert_eq!(lives.spans(), spans);
    assert_eq!(lives.events(), events);
}

#[test]
fn what_is_written_while_it_is_dead_is_read_by_the_next_life_once() {
    let line = |n: u32| format!("go: downloading corp.example/m{n} v1.0.{n}\n");
    let mut lives = Lives::new();
    lives.begin();
    let (mut written, mut n) = (0.0, 0);
    lives.append("a.log", "+ go mod download\n");
    for life in 0..4 {
        for dead in [false, true] {
            for _ in 0..10 {
                let chunk: String = (0..937)
                    .map(|_| {
                        n += 1;
                        line(n)
                    })
                    .collect();
                lives.append("a.log", &chunk);
            }
            written = f64::from(n) + 1.0;
            if !dead {
                // somewhere in the middle of it
                if life % 2 == 0 {
                    lives.wait_for_at_least("gobeacon_log_lines_total", written - 4_000.0);
                }
                lives.kill();
            }
        }
        lives.begin();
    }
    lives.wait_for("gobeacon_log_lines_total", written);
    let sum = lives.settled();
    assert_eq!(sum["gobuild_module_downloads_total{host=\"unknown\"}"], f64::from(n));
    assert_eq!(sum["gobeacon_log_lines_total"], written);
    let said = lives.end();
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn a_backend_that_is_away_over_several_lives_gets_everything_when_it_is_back() {
    let (counters, spans, events) = undisturbed(&[("a.log", LOG.to_owned())], lines(LOG));
    let mut lives = Lives::new();
    lives.receiver.answer(Answer::Http(503, vec![]));
    lives.begin();
    let mut written = 0.0;
    for part in LOG.split_inclusive("+ go") {
        lives.append("a.log", part);
        written += lines(part);
        lives.wait_for("gobeacon_log_lines_total", written);
        lives.kill();
        lives.begin();
    }
    lives.receiver.answer(Answer::Ok);
    assert_eq!(lives.settled(), counters);
    lives.end();
    assert_eq!((lives.spans(), lives.events()), (spans, events));
}

#[test]
fn logs_that_are_rotated_while_it_is_dead_are_read_to_their_ends_and_new_ones_from_their_starts() {
    let build = |n: u32| format!("+ go build ./{n}\ngo: downloading corp.example/m{n} v1.0.{n}\n");
    let mut lives = Lives::new();
    for log in ["renamed.log", "copied.log", "longer.log", "anew.log"] {
        lives.append(log, &build(1));
    }
    lives.begin();
    lives.wait_for("gobeacon_log_lines_total", 8.0);
    lives.kill();
    // renamed out of the glob, with more in it, and made anew
    lives.append("renamed.log", &build(2));
    std::fs::rename(lives.path("renamed.log"), lives.path("renamed.log.1")).unwrap();
    lives.append("renamed.log", &build(3));
    // copied and truncated, to less than what was read and to more
    std::fs::write(lives.path("copied.log"), "+ go vet\n").unwrap();
    std::fs::write(lives.path("longer.log"), build(4) + &build(5) + &build(6)).unwrap();
    // another file under the same name, which has the inode if the file system gives it again at once
    std::fs::remove_file(lives.path("anew.log")).unwrap();
    lives.append("anew.log", &(build(7) + &build(8)));
    lives.begin();
    let written = 8.0 + 2.0 + 2.0 + 1.0 + 6.0 + 4.0;
    lives.wait_for("gobeacon_log_lines_total", written);
    let sum = lives.settled();
    // four of the first life, then one for each build that was written since
    assert_eq!(sum["gobuild_module_downloads_total{host=\"unknown\"}"], 4.0 + 7.0);
    assert_eq!(sum["gobeacon_log_truncations_total"], 2.0);
    assert_eq!(sum.get("gobeacon_log_lost_bytes_total"), None);
    lives.end();
    // three are open still; those that were open in logs whose content is gone are not
    assert_eq!(lives.spans().iter().filter(|it| *it == "go build").count(), 11 - 3);
}

#[test]
fn a_state_that_cannot_be_used_is_said_and_the_logs_are_read_anew_with_the_same_ids() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 4] = [
        ("is set aside", |journal| std::fs::write(journal, "").unwrap()),
        ("is set aside", |journal| std::fs::write(journal, "gobeacon state 9 of the future").unwrap()),
        ("is damaged and passed over", |journal| {
            let mut bytes = std::fs::read(journal).unwrap();
            bytes[30] ^= 1;
            std::fs::write(journal, bytes).unwrap();
        }),
        ("is set aside", |journal| {
            std::fs::remove_file(journal).unwrap();
            std::fs::create_dir_all(journal.join("of-something-else")).unwrap();
        }),
    ];
    for (says, damage) in damages {
        let mut lives = Lives::new();
        lives.append("a.log", LOG);
        lives.begin();
        lives.wait_for("gobeacon_log_lines_total", lines(LOG));
        lives.kill();
        damage(&lives.state().join("journal"));
        lives.begin();
        lives.wait_for("gobeacon_log_lines_total", lines(LOG) * 2.0);
        lives.append("a.log", "+ go env\n");
        lives.wait_for("gobeacon_log_lines_total", lines(LOG) * 2.0 + 1.0);
        lives.agent().wait_for_line("gobeacon_state_errors_total 1");
        let said = lives.end();
        assert_eq!(said.matches(says).count(), 1, "{said}");
        assert!(lives.doubled() > 0, "what was read again was sent again");
        let (_, spans, _) = undisturbed(&[("a.log", LOG.to_owned() + "+ go env\n")], lines(LOG) + 1.0);
        assert_eq!(lives.spans(), spans);
    }
}
