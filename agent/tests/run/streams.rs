//! Bytes of all three streams, in their order; the environment, the folder and the arguments.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{GOBEACON, bare, output, shell, text, wrapped};

/// Bytes of every value, the same each time.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn megabytes_of_noise_go_in_and_come_out_as_they_were() {
    let noise = noise(5_000_003, 42);
    let mut child = wrapped(&["-q"], &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = noise.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let ended = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(ended.status.success());
    assert!(ended.stdout == noise, "{} of {} bytes", ended.stdout.len(), noise.len());
}

#[test]
fn both_streams_are_untouched_and_the_summary_comes_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (noise(700_001, 1), noise(300_007, 2));
    std::fs::write(folder.path().join("out"), &out).unwrap();
    std::fs::write(folder.path().join("err"), &err).unwrap();
    let command = shell("cat out & cat err >&2; wait; exit 3");
    let quiet = output(wrapped(&["--quiet"], &command).current_dir(&folder));
    assert!(quiet.stdout == out && quiet.stderr == err);
    let spoken = output(wrapped(&[], &command).current_dir(&folder));
    assert!(spoken.stdout == out);
    let summary = spoken.stderr.strip_prefix(&err[..]).unwrap();
    assert!(text(summary).ends_with("the command ended with exit code 3\n"), "{}", text(summary));
}

#[test]
fn both_streams_in_one_pipe_keep_their_order() {
    let line = "i=0; while [ $i -lt 2000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let both = |mut command: Command| {
        let (mut read, write) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(write.try_clone().unwrap()).stderr(write);
        let mut child = command.spawn().unwrap();
        // it holds our ends of the pipe
        drop(command);
        let mut all = Vec::new();
        read.read_to_end(&mut all).unwrap();
        assert!(child.wait().unwrap().success());
        all
    };
    assert!(both(wrapped(&["-q"], &shell(line))) == both(bare(&shell(line))));
}

#[test]
fn a_reader_that_leaves_ends_the_command_as_ever() {
    for command in ["yes", "sh -c 'while :; do echo more; sleep 0.02; done'"] {
        let piped = |command: &str| {
            let line = format!("{command} | head -n 1; echo ${{PIPESTATUS[0]}}");
            output(&mut bare(&["bash", "-c", &line])).stdout
        };
        let (bare, ours) = (piped(command), piped(&format!("{GOBEACON} run -q -- {command}")));
        assert_eq!(text(&ours), text(&bare));
        assert!(text(&bare).ends_with("\n141\n"), "{}", text(&bare));
    }
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    // the command is long gone when the first byte is read
    let line = format!("{GOBEACON} run -q -- head -c 150000 /dev/zero | (sleep 2; wc -c)");
    assert_eq!(text(&output(&mut bare(&shell(&line))).stdout).trim(), "150000");
}

#[test]
fn whom_the_command_left_behind_does_not_hold_us_up() {
    let begin = Instant::now();
    let ran = output(&mut wrapped(&["-q"], &shell("sleep 50 & echo done; exit 2")));
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(2), "done\n"));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn output_that_cannot_be_written_is_a_failure_as_it_would_be_without_us() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ran = wrapped(&["-q"], &["echo", "lost"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("could not be written: No space left"), "{}", text(&ran.stderr));
}

#[test]
fn input_that_the_command_leaves_is_there_for_the_next() {
    let line = format!("printf 'a\\nb\\nc\\n' | ({GOBEACON} run -q -- sh -c 'read line; echo $line'; cat)");
    assert_eq!(text(&output(&mut bare(&shell(&line))).stdout), "a\nb\nc\n");
}

#[test]
fn environment_folder_and_arguments_are_those_that_it_would_have_had() {
    let folder = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"not \xff text");
    let see = |mut command: Command| {
        let command = command.current_dir(&folder).env("ODD", odd).env("EMPTY", "").env("GOBEACON_LISTEN", ":1");
        output(command.args(["a b", "", "*", "--quiet", "-C", "--", "test"]).arg(odd)).stdout
    };
    let line = "env -0 | grep -zv '^_='; pwd; umask; ulimit -a; printf '%s|' \"$@\"";
    let command = ["sh", "-c", line, "sh"];
    let (bare, ours) = (see(bare(&command)), see(wrapped(&["-q"], &command)));
    assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&bare));
    assert!(bare.ends_with(b"a b||*|--quiet|-C|--|test|not \xff text|"));
}
