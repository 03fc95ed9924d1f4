//! `cargo bench --bench tui [-- MODEL [PAIRS [TOKENS]]]`: decode speed in the running interface
//! against the bare loop, in interleaved pairs; time to the first frame; from a key to its frame while the
//! model writes on every core; processor time of an idle interface. Ratios from one run; compare no figure with another run's.

#[path = "../tests/support/pty.rs"]
mod pty;

use std::process::Command;
use std::time::{Duration, Instant};

use pty::{Pty, TOKENSCOPE};

const MESSAGE: &str = "Write a very long story about a lighthouse, with many chapters.";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let model = args.first().map_or("smollm2-135m", String::as_str);
    let pairs: usize = args.get(1).map_or(5, |n| n.parse().expect("PAIRS is a number"));
    let tokens: usize = args.get(2).map_or(128, |n| n.parse().expect("TOKENS is a number"));
    first_frame(model);
    keys(model);
    decode(model, pairs, tokens);
    idle(model);
}

/// From start to the first frame, while the model is still loading.
fn first_frame(model: &str) {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let pty = Pty::start(120, 36, TOKENSCOPE, &["-m", model]);
            pty.wait_until("the first frame", |screen| screen.contains("message"));
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!("first frame: median {:?} (a look every 10 ms)", times[times.len() / 2]);
}

/// From a key press to the frame that shows it, while the model writes.
fn keys(model: &str) {
    const KEYS: usize = 200;
    let mut pty = Pty::start(120, 36, TOKENSCOPE, &["-m", model, "--seed", "1", "--ctx", "4096"]);
    pty.wait_for("ctx 0/");
    pty.type_text(&format!("{MESSAGE}\r"));
    pty.wait_for("^C stop");
    let mut times = Vec::new();
    let mut written = String::new();
    while times.len() < KEYS {
        if !pty.contents().contains("^C stop") {
            pty.type_text("\u{12}");
            pty.wait_for("^C stop");
        }
        written.push(char::from(b'a' + (times.len() % 26) as u8));
        if written.len() > 20 {
            pty.type_text("\u{15}");
            written.truncate(0);
            written.push('x');
            std::thread::sleep(Duration::from_millis(200));
        }
        let begun = Instant::now();
        pty.type_text(&written[written.len() - 1..]);
        let wanted = format!("> {written}");
        while !pty.contents().contains(&wanted) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{wanted:?} is not shown:\n{}",
                pty.contents()
            );
            std::thread::sleep(Duration::from_micros(500));
        }
        times.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(37));
    }
    times.sort();
    println!(
        "a key's frame while the model writes: median {:.1?}, p99 {:.1?}",
        times[KEYS / 2],
        times[KEYS * 99 / 100]
    );
}

fn decode(model: &str, pairs: usize, tokens: usize) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let mut ratios = Vec::new();
    println!("pair   bare t/s   interface t/s   ratio");
    for pair in 1..=pairs {
        let (seed, interface) = interface_speed(model, &threads, tokens);
        let bare = bare_speed(model, &threads, tokens, seed);
        ratios.push(interface / bare);
        println!("{pair:>4} {bare:>10.1} {interface:>15.1} {:>7.3}", interface / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3} ({tokens} tokens a run, {threads} threads)", ratios[ratios.len() / 2]);
}

/// The bare loop writes the same tokens, so that they cost the sampler the same.
fn bare_speed(model: &str, threads: &str, tokens: usize, seed: u32) -> f64 {
    let (tokens, seed) = (tokens.to_string(), seed.to_string());
    let output = Command::new(TOKENSCOPE)
        .args(["-m", model, "--threads", threads, "--seed", &seed, "bench", MESSAGE])
        .args(["--pairs", "1", "--json", "-n", &tokens])
        .output()
        .expect("tokenscope bench runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    report["bare"][0].as_f64().expect("it reports the bare loop")
}

/// A reply of exactly `tokens` tokens, read off the status line, and its seed.
fn interface_speed(model: &str, threads: &str, tokens: usize) -> (u32, f64) {
    let n = tokens.to_string();
    for seed in 1..=20 {
        let text = seed.to_string();
        let args = ["-m", model, "--threads", threads, "-n", &n, "--seed", &text, "--system", "none"];
        let mut pty = Pty::start(120, 36, TOKENSCOPE, &args);
        pty.wait_for("ctx 0/");
        pty.type_text(MESSAGE);
        pty.type_text("\r");
        pty.wait_until("the end of the reply", |screen| {
            // Looking takes processor time of its own.
            std::thread::sleep(Duration::from_millis(200));
            screen.contains(" t/s") && !screen.contains("^C stop") && !screen.contains("prompt ")
        });
        let line = pty.line_with(" t/s");
        let speed = line.split(" t/s").next().and_then(|left| left.split_whitespace().last());
        let speed = speed.and_then(|text| text.parse().ok()).expect("the status line shows the speed");
        if pty.contents().contains(&format!("step {tokens} ")) {
            return (seed, speed);
        }
        // The model ended early: too short to compare.
    }
    panic!("the model never writes {tokens} tokens");
}

/// Processor time used in five idle seconds after a reply.
fn idle(model: &str) {
    let mut pty = Pty::start(120, 36, TOKENSCOPE, &["-m", model, "-n", "400", "--seed", "1"]);
    pty.wait_for("ctx 0/");
    pty.type_text("Write a very long story about a lighthouse.\r");
    pty.wait_until("the end of the reply", |screen| screen.contains(" t/s") && !screen.contains("^C stop"));
    std::thread::sleep(Duration::from_secs(1));
    let before = pty.processor_ticks();
    std::thread::sleep(Duration::from_secs(5));
    println!("idle: {} ticks of 10 ms in 5 s", pty.processor_ticks() - before);
}
