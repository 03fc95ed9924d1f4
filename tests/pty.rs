//! The real binary in a real terminal: what people see, and that the terminal is theirs again
//! whatever happens. Every wait is for text or for stillness, never for a time.

#[path = "support/pty.rs"]
mod pty;

use pty::{Pty, Shell, TOKENSCOPE};

#[test]
fn a_chat_from_start_to_quit() {
    let mut shell = Shell::start(120, 36);
    shell.run(&format!("{TOKENSCOPE} --system concise --greedy -n 24; stty -a; echo LEFT=$?"));
    let pty = &mut shell.pty;
    pty.wait_for("ctx 0/");
    assert!(pty.is_alternate_screen());
    pty.type_text("What is the capital of France?\r");
    pty.wait_for("model  The capital of France is Paris");
    pty.wait_until("the reply to end", |screen| screen.contains("t/s") && !screen.contains("^C stop"));
    let sum = pty.line_with("Σ ");
    assert!(sum.contains("nat") && !sum.contains("Σ 0.00"), "{sum}");
    pty.type_text("And of Italy?\r");
    pty.wait_until("another sum", |screen| {
        screen.matches("model  ").count() >= 2 && screen.contains("Rome") && !screen.contains("^C stop")
    });
    assert_ne!(pty.line_with("Σ "), sum);
    pty.type_text("\x03");
    pty.wait_for("Ctrl-C again to leave");
    pty.type_text("\x03");
    shell.assert_terminal_is_ours("LEFT=0");
}

#[test]
fn a_part_named_by_the_lens_is_switched_off_and_the_reply_goes_on_without_it() {
    let mut shell = Shell::start(120, 36);
    shell.run(&format!("{TOKENSCOPE} --greedy -n 6; stty -a; echo LEFT=$?"));
    let pty = &mut shell.pty;
    let ended = |screen: &str| {
        let reason = ["as many as asked for", "the model ended it"].iter().any(|why| screen.contains(why));
        reason && !screen.contains("^C stop")
    };
    pty.wait_for("ctx 0/");
    pty.type_text("What is the capital of France?\r");
    pty.wait_until("the reply to end", |screen| screen.contains("model  The capital of") && ended(screen));
    // The logit lens of the newest step: its layers are parts.
    pty.type_text("\x1bl");
    pty.wait_until("the sentence", |screen| screen.contains("decided in layer"));
    pty.type_text("2");
    pty.wait_until("the title", |screen| {
        screen.contains("first choices") && screen.contains("Enter: layer ")
    });
    pty.type_text("\r");
    pty.wait_until("the part to be off", |screen| {
        screen.contains(" from the next token on") && screen.contains(" on ─")
    });
    pty.type_text("\x1b");
    pty.wait_until("the table", |screen| screen.contains("next token ─ step"));
    pty.type_text("/on\r");
    pty.wait_until("nothing off", |screen| screen.contains("nothing is off, nothing is added"));
    pty.type_text("/off layer 15 from start\r");
    pty.wait_until("what is off", |screen| screen.contains("off layer 15 from the start (next reply)"));
    pty.type_text("/retry\r");
    pty.wait_until("the reply to end", |screen| {
        screen.contains("off layer 15 (from the start)") && ended(screen)
    });
    pty.type_text("/on\r");
    pty.wait_until("what is on", |screen| screen.contains("all on from the next token on"));
    pty.type_text("And of Italy?\r");
    pty.wait_until("the reply to end", |screen| {
        screen.contains("all on again since token ") && ended(screen)
    });
    pty.type_text("\x03\x03");
    shell.assert_terminal_is_ours("LEFT=0");
}

#[test]
fn ctrl_z_hands_the_terminal_to_the_shell_and_fg_returns() {
    let mut shell = Shell::interactive(100, 30);
    shell.run(TOKENSCOPE);
    shell.pty.wait_for("ctx 0/");
    shell.pty.type_text("draft");
    shell.pty.wait_for("> draft");
    shell.pty.type_text("\x1a");
    shell.pty.wait_for_main_screen();
    shell.pty.wait_for("Stopped");
    // The terminal may echo the command itself: the answer is spelled otherwise.
    shell.run("stty -a; echo SHELL=$((6 * 7))");
    shell.pty.wait_for("SHELL=42\r");
    shell.assert_cooked();
    shell.run("fg");
    let is_back = |screen: &str| shell.pty.is_alternate_screen() && screen.contains("> draft");
    shell.pty.wait_until("the interface", is_back);
    shell.pty.type_text("\x03\x03");
    shell.pty.wait_for_main_screen();
}

#[test]
fn the_first_frame_comes_before_the_model() {
    let mut pty = Pty::start(100, 30, TOKENSCOPE, &["-m", "/dev/null/nowhere.gguf"]);
    pty.wait_for("nowhere.gguf");
    assert!(pty.is_alternate_screen());
    pty.type_text("\x03\x03");
    assert_eq!(pty.exit_code(), 0);
}

#[test]
fn ctrl_c_stops_a_long_reply_and_keeps_it() {
    let mut pty = Pty::start(100, 30, TOKENSCOPE, &["--seed", "1"]);
    pty.wait_for("ctx 0/");
    pty.type_text("Tell me a long story about a lighthouse.\r");
    pty.wait_for("^C stop");
    pty.wait_until("some text", |screen| screen.contains("step 9") || screen.contains("step 1"));
    pty.type_text("\x03");
    pty.wait_until("the end", |screen| !screen.contains("^C stop"));
    assert!(pty.line_with("model  ").len() > 12);
    pty.type_text("\x03\x03");
    assert_eq!(pty.exit_code(), 0);
}

#[test]
fn the_repl_completes_remembers_stops_and_leaves() {
    let mut shell = Shell::start(110, 36);
    shell.run(&format!("{TOKENSCOPE} repl; code=$?; stty -a; echo LEFT=$code"));
    let pty = &mut shell.pty;
    pty.wait_for("Ctrl-D leaves");
    pty.type_text("The capital of France is\r");
    pty.wait_for("entropy");
    assert!(pty.line_with("  1 ").contains("␣Paris"));
    pty.type_text("/step\t");
    pty.wait_for("> /step");
    pty.type_text("1\r");
    pty.wait_for("The capital of France is Paris");
    pty.type_text("\x1b[A");
    pty.wait_until("the last line again", |screen| screen.matches("> /step 1").count() == 2);
    pty.type_text("\x15/set max-tokens 2000\r");
    pty.wait_for("max-tokens 2000");
    pty.type_text("/generate Once upon a time\r");
    pty.wait_for("> /generate Once");
    pty.wait_until("the continuation", |screen| screen.contains("\nOnce upon a time"));
    pty.type_text("\x03");
    pty.wait_for("(stopped)");
    pty.type_text("\x04");
    shell.assert_terminal_is_ours("LEFT=0");
}

/// Window sizes of a drag from wide to narrow, of a tiling window manager, and stranger ones.
const STORM: [(u16, u16); 16] = [
    (80, 24),
    (120, 40),
    (92, 31),
    (119, 24),
    (1, 1),
    (120, 36),
    (200, 3),
    (40, 10),
    (3, 200),
    (91, 40),
    (90, 24),
    (89, 33),
    (39, 9),
    (200, 60),
    (8, 12),
    (100, 30),
];

#[test]
fn a_storm_of_window_sizes_during_a_reply_loses_nothing() {
    let mut shell = Shell::start(120, 36);
    shell.run(&format!("{TOKENSCOPE} --seed 1 -n 400; code=$?; stty -a; echo LEFT=$code"));
    shell.pty.wait_for("ctx 0/");
    shell.pty.type_text("Tell me a long story about a lighthouse.\r");
    shell.pty.wait_for("^C stop");
    shell.pty.wait_for("step 3");
    for round in 0..4 {
        for (columns, rows) in STORM {
            let before = shell.pty.written().len();
            shell.pty.resize(columns, rows);
            // Now and then only: most sizes meet a frame that is being drawn for the one before.
            if (usize::from(columns) + round).is_multiple_of(3) {
                let pty = &shell.pty;
                pty.wait_until("a frame", |_| pty.written().len() > before);
            }
        }
    }
    shell.pty.resize(120, 36);
    shell.pty.wait_until("the whole screen again", |screen| {
        screen.contains("┌ chat ") && screen.contains("you    Tell me a long story") && screen.contains("Σ ")
    });
    shell.pty.wait_until("the reply to go on or end", |screen| screen.contains("seed"));
    shell.pty.type_text("\x03");
    shell.pty.wait_until("the end of the reply", |screen| !screen.contains("^C stop"));
    assert!(shell.pty.line_with("model  ").len() > 12, "{}", shell.pty.contents());
    shell.pty.type_text("\x03\x03");
    shell.assert_terminal_is_ours("LEFT=0");
}

#[test]
fn a_paste_without_brackets_is_one_message_whatever_its_length() {
    let mut pty = Pty::start(100, 30, TOKENSCOPE, &["-m", "/dev/null/nowhere.gguf"]);
    pty.wait_for("there is no model");
    let lines: Vec<String> = (0..900).map(|i| format!("line {i} of a paste that is long")).collect();
    pty.type_text(&lines.join("\r"));
    pty.wait_for("line 899 of a paste that is long");
    assert!(!pty.contents().contains("you    "), "{}", pty.contents());
    pty.type_text("\x03");
    pty.wait_for("Ctrl-C again");
    // The same text at once with its Enter is a message: it is refused here, and so comes back.
    pty.type_text("one line\r");
    pty.wait_until("the refusal", |screen| screen.matches("there is no model").count() >= 2);
    assert!(pty.line_with("> ").contains("> one line"), "{}", pty.contents());
    pty.type_text("\x03\x03");
    assert_eq!(pty.exit_code(), 0);
}

#[test]
fn a_terminal_that_only_writes_has_a_chat_line_by_line() {
    for term in ["TERM=dumb", "-u TERM"] {
        let script = format!("exec env {term} {TOKENSCOPE} --greedy --system concise -n 12");
        let mut pty = Pty::start(80, 24, "sh", &["-c", &script]);
        pty.wait_for("line by line");
        pty.wait_for("> ");
        pty.type_text("What is the capital of France?\n");
        pty.wait_for("The capital of France is");
        pty.wait_for("nat");
        pty.type_text("/quit\n");
        assert_eq!(pty.exit_code(), 0);
        let written = pty.written();
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
}
