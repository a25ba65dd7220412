//! The framings, written the way the systems write them.
//!
//! Each wrapper makes a log out of one stream: the lines that the system adds, and the lines of the stream. A last
//! line without a newline stays one where the system keeps it so.

use crate::cases::Stream;
use crate::random::Random;

/// One way to wrap a stream.
pub(crate) struct Wrapper {
    pub(crate) name: &'static str,
    pub(crate) wrap: fn(&Stream, &mut Random) -> Vec<u8>,
    /// Whether the log echoes the command `go test ./...`.
    pub(crate) echoes: bool,
    /// Whether its lines carry times.
    pub(crate) times: bool,
}

const fn wrapper(name: &'static str, wrap: fn(&Stream, &mut Random) -> Vec<u8>, [echoes, times]: [bool; 2]) -> Wrapper {
    Wrapper { name, wrap, echoes, times }
}

/// Every framing, and some of them around others.
pub(crate) const WRAPPERS: &[Wrapper] = &[
    wrapper("timestamps RFC 3339", |s, _| stamped(&s.bytes, |n| format!("{} ", rfc3339(n, 9))), [false, true]),
    wrapper("timestamps with offset", |s, _| stamped(&s.bytes, offset_stamp), [false, true]),
    wrapper("timestamps date and time", |s, _| stamped(&s.bytes, |n| format!("{} ", civil(n))), [false, false]),
    wrapper("timestamps in brackets", |s, _| stamped(&s.bytes, |n| format!("[{}] ", civil(n))), [false, false]),
    wrapper("timestamps time of day", |s, _| stamped(&s.bytes, |n| format!("{} ", clock(n))), [false, false]),
    wrapper("timestamps of ts", |s, _| stamped(&s.bytes, |n| format!("May  1 {} ", clock(n))), [false, false]),
    wrapper("cri", |s, r| cri(&s.bytes, s.is_stderr, 16 << 10, r), [false, true]),
    wrapper("cri in small parts", |s, r| cri(&s.bytes, s.is_stderr, 30, r), [false, true]),
    wrapper("docker json", |s, r| docker(&s.bytes, s.is_stderr, 16 << 10, false, r), [false, true]),
    wrapper("docker json in small parts", |s, r| docker(&s.bytes, s.is_stderr, 30, true, r), [false, true]),
    wrapper("github", |s, _| github(&s.bytes), [true, true]),
    wrapper("azure", |s, _| azure(&s.bytes), [true, true]),
    wrapper("gitlab", |s, _| gitlab(&s.bytes), [true, false]),
    wrapper("gitlab with stamps", |s, r| gitlab_stamped(&gitlab(&s.bytes), s.is_stderr, 8 << 10, r), [true, true]),
    wrapper("gitlab in small parts", |s, r| gitlab_stamped(&gitlab(&s.bytes), s.is_stderr, 30, r), [true, true]),
    wrapper("jenkins", |s, _| jenkins(&s.bytes, |_| String::new()), [true, false]),
    wrapper("jenkins with stamps", |s, _| jenkins(&s.bytes, |n| format!("[{}] ", rfc3339(n, 3))), [true, true]),
    wrapper("jenkins all stamped", |s, _| jenkins_all(&s.bytes), [true, true]),
    wrapper("jenkins elapsed", |s, _| stamped(&echoed(&s.bytes, "+ "), |n| format!("{}  ", clock(n))), [true, false]),
    wrapper("jenkins mixed", |s, _| jenkins(&s.bytes, |n| format!("{}  ", clock(n))), [true, false]),
    wrapper("buildkite", |s, _| buildkite(&s.bytes), [true, true]),
    wrapper("sh -x", |s, _| echoed(&s.bytes, "+ "), [true, false]),
    wrapper("crlf", |s, _| crlf(&s.bytes), [false, false]),
    wrapper("coloured", |s, r| coloured(&s.bytes, r), [false, false]),
    wrapper("nul bytes", |s, r| sprinkled(&s.bytes, &[b"\0"], r), [false, false]),
    wrapper("overprinted", |s, _| overprinted(&s.bytes), [false, false]),
    wrapper("cri around github", |s, r| cri(&github(&s.bytes), s.is_stderr, 60, r), [true, true]),
    wrapper("cri around buildkite", |s, r| cri(&buildkite(&s.bytes), s.is_stderr, 60, r), [true, true]),
    wrapper("cri of a terminal", |s, r| cri(&crlf(&coloured(&s.bytes, r)), false, 60, r), [false, true]),
    wrapper("docker around gitlab", |s, r| docker(&gitlab(&s.bytes), s.is_stderr, 60, false, r), [true, true]),
    wrapper("docker around timestamps", docker_around_timestamps, [false, true]),
    wrapper("github coloured", |s, r| github(&coloured(&s.bytes, r)), [true, true]),
    wrapper("crlf around cri", |s, r| crlf(&cri(&s.bytes, s.is_stderr, 30, r)), [false, true]),
    wrapper("crlf around docker", |s, r| crlf(&docker(&s.bytes, s.is_stderr, 30, false, r)), [false, true]),
    wrapper("crlf around github", |s, _| crlf(&github(&s.bytes)), [true, true]),
    wrapper("crlf around gitlab", crlf_around_gitlab, [true, true]),
    wrapper("crlf around jenkins", |s, _| crlf(&jenkins_all(&s.bytes)), [true, true]),
    wrapper("timestamps around jenkins", timestamps_around_jenkins, [true, true]),
];

fn docker_around_timestamps(stream: &Stream, random: &mut Random) -> Vec<u8> {
    docker(&stamped(&stream.bytes, |n| format!("{} ", rfc3339(n, 9))), stream.is_stderr, 60, true, random)
}

fn crlf_around_gitlab(stream: &Stream, random: &mut Random) -> Vec<u8> {
    crlf(&gitlab_stamped(&gitlab(&stream.bytes), stream.is_stderr, 40, random))
}

fn timestamps_around_jenkins(stream: &Stream, _: &mut Random) -> Vec<u8> {
    stamped(&jenkins(&stream.bytes, |_| String::new()), |n| format!("{} ", rfc3339(n, 6)))
}

/// Lines with their newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

fn body(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The time of the `n`th line: a few milliseconds after the one before.
fn at(n: usize) -> (usize, usize, usize, usize) {
    let millis = n * 137;
    (millis / 3_600_000 % 24, millis / 60_000 % 60, millis / 1000 % 60, millis % 1000)
}

fn rfc3339(n: usize, decimals: usize) -> String {
    let (h, m, s, millis) = at(n);
    let fraction = format!("{millis:03}456789");
    format!("2024-05-01T{h:02}:{m:02}:{s:02}.{}Z", &fraction[..decimals])
}

/// As Go's RFC3339Nano: without decimals when they are all 0.
fn offset_stamp(n: usize) -> String {
    let (h, m, s, millis) = at(n);
    let decimals = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!("2024-05-01T{h:02}:{m:02}:{s:02}{decimals}+02:00 ")
}

fn civil(n: usize) -> String {
    format!("2024-05-01 {}", clock(n))
}

fn clock(n: usize) -> String {
    let (h, m, s, _) = at(n);
    format!("{h:02}:{m:02}:{s:02}")
}

/// `ts`: a stamp in front of each line; a last line without a newline stays one.
fn stamped(bytes: &[u8], stamp: impl Fn(usize) -> String) -> Vec<u8> {
    lines(bytes).enumerate().flat_map(|(n, line)| [stamp(n).as_bytes(), line].concat()).collect()
}

fn echoed(bytes: &[u8], prompt: &str) -> Vec<u8> {
    [format!("{prompt}go test ./...\n").as_bytes(), bytes].concat()
}

/// containerd: a record for each part of a line; bytes behind the last newline are a part, too.
fn cri(bytes: &[u8], is_stderr: bool, most: usize, random: &mut Random) -> Vec<u8> {
    let stream = if is_stderr { "stderr" } else { "stdout" };
    let (mut log, mut n) = (Vec::new(), 0);
    for line in lines(bytes) {
        let parts = random.cut(body(line), most);
        for (i, part) in parts.iter().enumerate() {
            let tag = if i + 1 == parts.len() && line.ends_with(b"\n") { "F" } else { "P" };
            log.extend_from_slice(format!("{} {stream} {tag} ", rfc3339(n, 9)).as_bytes());
            log.extend_from_slice(part);
            log.push(b'\n');
            n += 1;
        }
    }
    log
}

/// Docker's json-file: an object for each part of a line, with Go's escapes or those of a plain writer.
fn docker(bytes: &[u8], is_stderr: bool, most: usize, plain: bool, random: &mut Random) -> Vec<u8> {
    let stream = if is_stderr { "stderr" } else { "stdout" };
    let (mut log, mut n) = (String::new(), 0);
    for line in lines(bytes) {
        let text = String::from_utf8(line.to_vec()).unwrap();
        let letters: Vec<char> = text.chars().collect();
        for part in letters.chunks(1 + random.below(most)) {
            let part = serde_json::to_string(&part.iter().collect::<String>()).unwrap();
            let time = rfc3339(n, 9);
            log += &match plain {
                true => format!("{{\"time\": \"{time}\", \"stream\": \"{stream}\", \"log\": {part}}}\n"),
                false => {
                    let part = part.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
                    format!("{{\"log\":{part},\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n")
                }
            };
            n += 1;
        }
    }
    log.into_bytes()
}

/// A log file of GitHub Actions: a step before, the header of the step with its script, output, the verdict.
fn github(bytes: &[u8]) -> Vec<u8> {
    let mut log = "Current runner version: '2.316.0'\n##[group]Operating System\nUbuntu\n22.04.4\n##[endgroup]\n\
                   ##[group]Run actions/checkout@v4\nwith:\n  repository: corp/example\n##[endgroup]\n\
                   [command]/usr/bin/git version\ngit version 2.43.2\n\
                   ##[group]Run go test ./...\n\x1b[36;1mgo test ./...\x1b[0m\n\x1b[36;1m# fake/header\x1b[0m\n\
                   shell: /usr/bin/bash -e {0}\nenv:\n  GOFLAGS: -mod=mod\n##[endgroup]\n"
        .as_bytes()
        .to_vec();
    log.extend_from_slice(bytes);
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        log.push(b'\n');
    }
    log.extend_from_slice(b"##[error]Process completed with exit code 1.\n");
    [b"\xef\xbb\xbf".to_vec(), stamped(&log, |n| format!("{} ", rfc3339(n, 7)))].concat()
}

/// A log of Azure Pipelines.
fn azure(bytes: &[u8]) -> Vec<u8> {
    let mut log = b"##[section]Starting: go test\n==============\nTask         : Go\n\
                    ##[command]go test ./...\n"
        .to_vec();
    log.extend_from_slice(bytes);
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        log.push(b'\n');
    }
    log.extend_from_slice(b"##[error]Bash exited with code '1'.\n##[section]Finishing: go test\n");
    stamped(&log, |n| format!("{} ", rfc3339(n, 7)))
}

/// A job log of GitLab. What ends a section goes on the line that the output left open.
fn gitlab(bytes: &[u8]) -> Vec<u8> {
    let before = "\x1b[0KRunning with gitlab-runner 17.0.0 (44feccdf)\x1b[0;m\n\
                  section_start:1714564800:get_sources\r\x1b[0K\x1b[0K\x1b[36;1mGetting source\x1b[0;m\x1b[0;m\n\
                  section_end:1714564801:get_sources\r\x1b[0Ksection_start:1714564801:step_script[collapsed=true]\r\
                  \x1b[0K\x1b[0K\x1b[36;1mExecuting \"step_script\" stage of the job script\x1b[0;m\x1b[0;m\n\
                  \x1b[32;1m$ go test ./... # collapsed multi-line command\x1b[0;m\n";
    let after = "section_end:1714564802:step_script\r\x1b[0K\n\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m";
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

/// FF_TIMESTAMPS of the GitLab runner. Its own lines are of writer 00, the job's of 01; long lines go on with `+`.
fn gitlab_stamped(log: &[u8], is_stderr: bool, most: usize, random: &mut Random) -> Vec<u8> {
    let stream = if is_stderr { 'E' } else { 'O' };
    let (mut out, mut n) = (Vec::new(), 0);
    for line in lines(log) {
        for (i, part) in random.cut(body(line), most).into_iter().enumerate() {
            let flag = if i == 0 { ' ' } else { '+' };
            out.extend_from_slice(format!("{} 01{stream}{flag}", rfc3339(n, 6)).as_bytes());
            out.extend_from_slice(part);
            out.push(b'\n');
            n += 1;
        }
    }
    out
}

/// The console of a Jenkins pipeline: hidden notes in front of its own lines, stamps on those of its steps.
fn jenkins(bytes: &[u8], stamp: impl Fn(usize) -> String) -> Vec<u8> {
    let note = "\x1b[8mha:////4Bb2Yx+/AAAAn4sIAAAAAAAA/2NgYGBk==\x1b[0m";
    let mut log = format!("Started by user {note}admin\n").into_bytes();
    for step in ["Start of Pipeline", "node", "{", "timestamps", "{", "sh"] {
        log.extend_from_slice(format!("{note}[Pipeline] {step}\n").as_bytes());
    }
    log.extend(stamped(&echoed(bytes, "+ "), stamp));
    if !log.ends_with(b"\n") {
        log.push(b'\n');
    }
    log.extend_from_slice(
        format!("{note}[Pipeline] }}\nERROR: script returned exit code 1\nFinished: FAILURE\n").as_bytes(),
    );
    log
}

/// A freestyle job of Jenkins with stamps on every line.
fn jenkins_all(bytes: &[u8]) -> Vec<u8> {
    let log = [&b"Started by user admin\nRunning as SYSTEM\n"[..], &echoed(bytes, "+ ")].concat();
    stamped(&log, |n| format!("[{}] ", rfc3339(n, 3)))
}

/// A job log of Buildkite: a sequence with the time, CRLF, headers, a coloured prompt.
fn buildkite(bytes: &[u8]) -> Vec<u8> {
    let log = [&b"~~~ Running commands\n\x1b[90m$\x1b[0m go test ./...\n"[..], bytes].concat();
    crlf(&stamped(&log, |n| format!("\x1b_bk;t={}\x07", 1_714_564_800_123 + n)))
}

fn crlf(bytes: &[u8]) -> Vec<u8> {
    lines(bytes)
        .flat_map(|line| match line.strip_suffix(b"\n") {
            Some(body) => [body, b"\r\n"].concat(),
            None => line.to_vec(),
        })
        .collect()
}

/// Colours around lines and between their bytes, as tools that colour output write them.
fn coloured(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let colours: &[&[u8]] =
        &[b"\x1b[31m", b"\x1b[1;38;5;196m", b"\x1b[0m", b"\x1b[K", b"\x1b(B\x1b[m", b"\x1b]8;;\x07"];
    lines(&sprinkled(bytes, colours, random))
        .flat_map(|line| match line.strip_suffix(b"\n") {
            Some(body) => [b"\x1b[32m", body, b"\x1b[0m\n"].concat(),
            None => line.to_vec(),
        })
        .collect()
}

/// Bytes that mean nothing, now and then between two others.
fn sprinkled(bytes: &[u8], grains: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bytes {
        if random.one_in(20) {
            out.extend_from_slice(grains[random.below(grains.len())]);
        }
        out.push(*byte);
    }
    out
}

/// A progress bar in front of each line, and an erased rest behind it.
fn overprinted(bytes: &[u8]) -> Vec<u8> {
    lines(bytes)
        .flat_map(|line| match line.strip_suffix(b"\n") {
            Some([]) | None => line.to_vec(),
            Some(body) => [b" 10% [>   ]\r100% [====]\r\x1b[K", body, b"\r\x1b[K\n"].concat(),
        })
        .collect()
}
