//! Every state on every window, also where the state remembers another size than the frame has.

use crate::report::view::{Block, Column, Table, TableRow};
use crate::tui::harness::answered;
use ratatui::crossterm::event::Event as Input;
use ratatui::style::{Color, Modifier};

use crate::engine::testing::ScriptedLine;
use crate::engine::{EngineError, Event};
use crate::session::Notice;
use crate::session::state::Fetch;
use crate::tui::harness::Harness;
use crate::tui::msg::Msg;

const WIDTHS: std::ops::RangeInclusive<u16> = 1..=200;
const HEIGHTS: std::ops::RangeInclusive<u16> = 1..=60;
const SOME_HEIGHTS: [u16; 12] = [1, 2, 3, 5, 9, 10, 11, 16, 24, 36, 45, 60];
const SOME_WIDTHS: [u16; 8] = [1, 7, 39, 40, 80, 92, 120, 200];

fn reply() -> Vec<ScriptedLine> {
    let text = [("The", 0.9), (" capital", 0.4), (" is", 0.95), ("北", 0.02), ("\n", 0.1), (" Paris", 1e-30)];
    let mut lines: Vec<ScriptedLine> = text.into_iter().cycle().take(160).collect();
    lines.push(("<|im_end|>", 0.7));
    lines
}

/// A conversation in which two replies were given.
fn talked() -> Harness {
    let mut harness = Harness::new(120, 36, vec![reply(), reply(), reply()]);
    harness.keys("hi 北京<Enter>And of Italy?<Enter>");
    harness
}

fn with(keys: &str) -> Harness {
    let mut harness = talked();
    harness.keys(keys);
    harness
}

fn states() -> Vec<(&'static str, Harness)> {
    let mut replying = talked();
    replying.hold();
    replying.keys("again<Enter>");
    let mut prefilling = Harness::new(120, 36, vec![reply()]);
    prefilling.hold();
    prefilling.keys("hi<Enter>");
    replying.say(40);
    let mut fetching = Harness::loading(120, 36, vec![]);
    let what = "downloading".to_string();
    fetching.send(Msg::Fetching(Fetch { what, done: 5 << 30, total: Some(u64::MAX) }));
    let mut loading = Harness::loading(120, 36, vec![]);
    loading.send(Msg::Engine(Event::LoadProgress(0.37)));
    let mut failed = Harness::loading(120, 36, vec![]);
    failed.send(Msg::NoModel(format!(
        "no model: {}\n{}",
        "pass one with -m FILE ".repeat(30),
        "北京".repeat(90)
    )));
    let mut error = talked();
    error.keys("again<Enter>");
    error.send(Msg::Engine(Event::Lost(EngineError::Decode(1))));
    error.keys("/set temp hot<Enter>");
    let mut wide = Harness::new(120, 36, vec![[vec![("北", 0.3); 300], vec![("<|im_end|>", 0.5)]].concat()]);
    wide.send(Msg::Input(Input::Paste(
        "हिन्दी ไทย حَرَكات e\u{301} 👩\u{200d}👩\u{200d}👧 🇩🇪 👍🏽 ❤\u{fe0f} \u{301}\t\u{202e}x ".repeat(6),
    )));
    wide.keys("<Enter>");
    let mut draft = talked();
    draft.send(Msg::Input(Input::Paste("a long draft 北京 ".repeat(200))));
    let mut asked = talked();
    let mut table = Table::new([
        Column::figures("rank", 7),
        Column::text("token", 18).after(2),
        Column::figures("p %", 7),
        Column::bars("", 10).after(2),
    ]);
    for i in 0..12 {
        let cells = [i.to_string().into(), "␣sat 北京".into(), "50.012345".into(), "████████".into()];
        table.rows.push(TableRow::new(cells).of(i));
    }
    asked.send(answered(vec![Block::Text("prose 北京\n".repeat(9)), Block::Table(table)]));
    asked.state.tell(Notice::Warning("careful ".repeat(40)));
    let mut leaving = talked();
    leaving.keys("<C-c>");
    let mut parted = talked();
    parted.submit("/swap 4 2");
    parted.submit("/diff 1 2");
    parted.keys("<Down><Left>");
    let looking = with("<Left><A-l>");
    let lens = |keys: &str| {
        let mut harness = with("<Left><A-l>");
        harness.look();
        harness.keys(keys);
        harness.look();
        harness
    };
    vec![
        ("empty", Harness::new(120, 36, vec![])),
        ("fetching", fetching),
        ("loading", loading),
        ("failed", failed),
        ("reading the prompt", prefilling),
        ("replying", replying),
        ("replied", talked()),
        ("help", with("?")),
        ("help, scrolled", with("<Tab>?<Down><Down><Down><Down>")),
        ("palette", with("/")),
        ("completing", with("/set t")),
        ("walking", with("<Left><Left>cc")),
        ("walking in the prompt", with("<Left><Home><Right><Right>c")),
        ("figures", with("<Tab><Tab><Down>")),
        ("the conversation alone", with("<Tab>z<Left>")),
        ("the table alone", with("<Tab><Tab>z")),
        ("the message alone", with("<A-z>/set t")),
        ("error", error),
        ("wide characters", wide),
        ("long draft", draft),
        ("an answer", asked),
        ("looking", looking),
        ("occlusion", lens("<Left>")),
        ("logit", lens("2<Up>")),
        ("heads", lens("4hm<Left>")),
        ("context alone", lens("3z")),
        ("two branches", parted),
        ("leaving", leaving),
    ]
}

/// Sizes the state may remember while the frame has another.
const REMEMBERED: [(u16, u16); 6] = [(120, 36), (40, 10), (200, 60), (80, 24), (1, 1), (92, 50)];

fn sizes() -> impl Iterator<Item = (u16, u16)> {
    let all_widths = WIDTHS.flat_map(|width| SOME_HEIGHTS.map(|height| (width, height)));
    all_widths.chain(HEIGHTS.flat_map(|height| SOME_WIDTHS.map(|width| (width, height))))
}

#[test]
fn every_state_is_drawn_on_every_window_whatever_size_it_remembers() {
    for (name, mut harness) in states() {
        for (i, (width, height)) in sizes().enumerate() {
            if i % 7 == 0 {
                let (width, height) = REMEMBERED[i / 7 % REMEMBERED.len()];
                harness.send(Msg::Input(Input::Resize(width, height)));
            }
            let drawn =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.buffer_of(width, height)));
            let buffer = drawn.unwrap_or_else(|_| {
                panic!("{name}, remembered as {:?}, on {width}×{height}", harness.state.size)
            });
            assert_eq!((buffer.area.width, buffer.area.height), (width, height));
        }
    }
}

#[test]
fn a_frame_is_the_same_once_the_size_is_known() {
    for (name, mut harness) in states() {
        for (width, height) in [(1, 1), (40, 10), (80, 24), (100, 30), (200, 60)] {
            harness.send(Msg::Input(Input::Resize(width, height)));
            let first = harness.buffer();
            harness.buffer_of(33, 7);
            assert_eq!(harness.buffer(), first, "{name} on {width}×{height}");
        }
    }
}

#[test]
fn what_is_faint_has_the_terminals_own_foreground() {
    for (name, mut harness) in states() {
        for (width, height) in [(40, 10), (80, 24), (120, 36)] {
            harness.send(Msg::Input(Input::Resize(width, height)));
            let faint = |cell: &&ratatui::buffer::Cell| cell.modifier.contains(Modifier::DIM);
            // Half as bright a colour would be too dark on black; half a foreground is not.
            let buffer = harness.buffer();
            for cell in buffer.content.iter().filter(faint) {
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{name}, {width}: {cell:?}");
            }
        }
    }
}
