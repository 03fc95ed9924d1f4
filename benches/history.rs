//! `cargo bench --bench history`: what a conversation of 100 000 tokens costs: its file, opening it, its memory, a
//! frame of the screen that shows it. No model is needed.

#[path = "../tests/support/drawn.rs"]
mod drawn;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use drawn::{DrawnReply, Draws, step};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use tokenscope::archive::read;
use tokenscope::sampling::Sampling;
use tokenscope::sequence::TreeNode;
use tokenscope::session::Session;
use tokenscope::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use tokenscope::step::{Candidate, Step};
use tokenscope::tui::look::Appearance;
use tokenscope::tui::msg::{Effect, Msg};
use tokenscope::tui::state::State;
use tokenscope::tui::{update::update, view};

const TOKENS: usize = 100_000;
const FRAMES: usize = 200;

fn main() {
    memory();
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let file = folder.path().join("long.jsonl");
    write(&file);
    let begun = Instant::now();
    let opened = read::read(&file).expect("it is a session");
    let elapsed = begun.elapsed();
    assert_eq!(opened.saved.tree.len(), TOKENS);
    let size = fs::metadata(&file).expect("it is there").len();
    println!("file: {:.1} bytes a step, read in {elapsed:.0?}", size as f64 / TOKENS as f64);
    drop(opened);
    frames(&file);
}

/// Bytes of a step with 20 candidates, from what the system counts.
fn memory() {
    let mut draws = Draws(3);
    let mut reply = DrawnReply::new();
    let before = resident();
    for _ in 0..TOKENS {
        reply.push(step(&mut draws, 20));
    }
    let bytes = (resident() - before) as f64 / TOKENS as f64;
    let own = size_of::<Step>() + 20 * size_of::<Candidate>() + size_of::<TreeNode>();
    println!("memory: {own} bytes a step with 20 candidates, {bytes:.0} with what the allocator adds");
}

fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: u64 =
        statm.split_whitespace().nth(1).and_then(|field| field.parse().ok()).expect("it has pages");
    pages * 4096
}

fn write(file: &std::path::Path) {
    let mut out = std::io::BufWriter::new(fs::File::create(file).expect("it can be made"));
    let mut reply = DrawnReply::new();
    for _ in 0..TOKENS {
        for event in reply.grow() {
            serde_json::to_writer(&mut out, &event).expect("it can be written");
            out.write_all(b"\n").expect("it can be written");
        }
    }
}

/// The screen that shows it: resumed as `--resume FILE` does, walked through key by key.
fn frames(file: &std::path::Path) {
    let settings = Settings::from_layers(
        Sampling::chat(),
        &ConfigFile::default(),
        &Flags::default(),
        &SamplingFlags::default(),
    )
    .expect("the defaults are settings");
    let mut state = State::new(Session::new(settings), Size::new(120, 36), Appearance::default());
    let begun = Instant::now();
    let mut effects = update(&mut state, Msg::Resume(file.display().to_string()));
    while let Some(effect) = effects.pop() {
        if let Effect::Run(ticket, task) = effect {
            effects.extend(update(&mut state, Msg::Done(ticket.id, task.run())));
        }
    }
    println!("resumed in {:.0?}, {} tokens", begun.elapsed(), state.session.sequence().len());
    let mut terminal = Terminal::new(TestBackend::new(120, 36)).expect("there is a screen");
    let mut frame =
        |state: &State| terminal.draw(|frame| view::draw(state, frame)).map(drop).expect("it draws");
    frame(&state);
    for (what, key) in
        [("at the end", None), ("walking back", Some(KeyCode::Left)), ("scrolling", Some(KeyCode::PageUp))]
    {
        let mut times: Vec<Duration> = (0..FRAMES)
            .map(|_| {
                let begun = Instant::now();
                if let Some(code) = key {
                    update(&mut state, Msg::Input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))));
                }
                frame(&state);
                begun.elapsed()
            })
            .collect();
        times.sort();
        println!("a frame {what}: median {:.2?}, p99 {:.2?}", times[FRAMES / 2], times[FRAMES * 99 / 100]);
    }
}
