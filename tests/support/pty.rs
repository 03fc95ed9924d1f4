//! A pseudo-terminal with a screen that can be read.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

pub const TOKENSCOPE: &str = env!("CARGO_BIN_EXE_tokenscope");

/// How long anything may take before a test gives up; waits end as soon as their text is there.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Pty {
    screen: Arc<Mutex<vt100::Parser>>,
    /// Everything that was written, for what scrolls away.
    written: Arc<Mutex<Vec<u8>>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    _home: tempfile::TempDir,
}

impl Pty {
    pub fn start(columns: u16, rows: u16, program: &str, args: &[&str]) -> Pty {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("PS1", "$ ");
        // Models are shared with the user's own; messages, logs and settings are not.
        command.env("XDG_STATE_HOME", home.path());
        // Sessions would lie where the models do.
        command.env("TOKENSCOPE_NO_SAVE", "1");
        command.env("XDG_CONFIG_HOME", home.path());
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (to_screen, to_written) = (Arc::clone(&screen), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 {
                    return;
                }
                to_screen.lock().unwrap().process(&buffer[..n]);
                to_written.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Pty { screen, written, keys, child, master: pair.master, _home: home }
    }

    pub fn type_text(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Gives the window another size; the program is told by SIGWINCH.
    pub fn resize(&self, columns: u16, rows: u16) {
        // The reader waits for the screen meanwhile: what was drawn for the new size meets it.
        let mut screen = self.screen.lock().unwrap();
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        screen.screen_mut().set_size(cells(rows), cells(columns));
    }

    pub fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    pub fn is_alternate_screen(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Waits until the screen, or what was written to it, is as wanted.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.contents()) {
            assert!(Instant::now() < deadline, "no sign of {what} on the screen:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.contents().contains(text) && !self.written().contains(text) {
            assert!(Instant::now() < deadline, "no sign of {text:?} on the screen:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait_for_main_screen(&self) {
        self.wait_until("the main screen", |_| !self.is_alternate_screen());
    }

    /// The first line of the screen that holds a text.
    pub fn line_with(&self, text: &str) -> String {
        self.contents().lines().find(|line| line.contains(text)).unwrap_or_default().to_string()
    }

    pub fn exit_code(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Processor time of the program so far, user and system, in ticks of 10 ms.
    pub fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A shell in a terminal, so that what a program leaves behind can be seen.
pub struct Shell {
    pub pty: Pty,
}

impl Shell {
    pub fn start(columns: u16, rows: u16) -> Shell {
        Shell { pty: Pty::start(columns, rows, "/bin/sh", &[]) }
    }

    /// With job control.
    pub fn interactive(columns: u16, rows: u16) -> Shell {
        Shell { pty: Pty::start(columns, rows, "/bin/sh", &["-i", "-m"]) }
    }

    pub fn run(&mut self, line: &str) {
        self.pty.type_text(&format!("{line}\r"));
    }

    /// Sends a signal to the program the shell runs.
    pub fn signal_tokenscope(&self, signal: i32) {
        let shell = self.pty.process();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
            if let Some(child) = children.split_whitespace().next() {
                // SAFETY: signals a process this test has started.
                unsafe { libc::kill(child.parse().unwrap(), signal) };
                return;
            }
            assert!(Instant::now() < deadline, "the shell has no child");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// After the program: main screen, mouse and paste reports off, cursor visible, cooked mode.
    pub fn assert_terminal_is_ours(&mut self, last: &str) {
        self.pty.wait_for(&format!("{last}\r"));
        assert!(!self.pty.is_alternate_screen(), "{}", self.pty.contents());
        {
            let screen = self.pty.screen.lock().unwrap();
            let screen = screen.screen();
            assert!(!screen.hide_cursor() && !screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        }
        self.assert_cooked();
    }

    /// What `stty -a` said last.
    pub fn assert_cooked(&self) {
        let written = self.pty.written();
        let (_, settings) = written.rsplit_once("speed").unwrap_or_default();
        let has = |flag: &str| settings.split_whitespace().any(|word| word.trim_end_matches(';') == flag);
        assert!(has("icanon") && has("echo") && has("isig") && !has("-icanon"), "{settings}");
    }
}

fn cells(n: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(n).unwrap()
}
