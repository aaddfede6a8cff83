//! A pseudo-terminal of 24 rows and 80 columns with a command on it, by script(1), which Debian and Ubuntu always have.

use super::wait::eventually;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A command that believes somebody sits before it.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

/// What is left when the command has ended.
#[derive(Debug)]
pub struct Left {
    /// Everything that was written to the terminal, with all its escapes.
    pub shown: String,
    /// How the command ended, as its shell counts.
    pub code: i32,
    /// The terminal's modes, by `stty -g`, before and after.
    pub modes: [String; 2],
}

impl Terminal {
    /// Whether there is a script(1) here.
    pub fn is_there() -> bool {
        Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    /// Starts a command on one, with its folder and environment.
    pub fn start(command: &Command) -> Self {
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        // The shell outlives an interrupt, as the one of somebody who types does.
        let line = format!("stty rows 24 cols 80; stty -g; trap : INT; {}; echo \"ended $?\"; stty -g", words.join(" "));
        // Whoever runs the tests in the background has interrupts ignored, and so would every child of theirs.
        let mut script = Command::new("env");
        script
            .args(["--default-signal=INT", "script", "-qfec", &line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
        command.get_current_dir().map(|folder| script.current_dir(folder));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let keyboard = child.stdin.take().unwrap();
        let (screen, mut out) = (Arc::new(Mutex::new(Vec::new())), child.stdout.take().unwrap());
        let written = screen.clone();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Some(n) = out.read(&mut bytes).ok().filter(|n| *n > 0) {
                written.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Self { child, keyboard, screen, reader }
    }

    /// What was written so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until it was written so often.
    pub async fn shows(&self, what: &str, times: usize) {
        eventually(what, async || self.shown().matches(what).count() >= times).await;
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until the command has ended by itself.
    pub async fn ended(mut self) -> Left {
        eventually("the command on the terminal ends", async || self.child.try_wait().unwrap().is_some()).await;
        self.reader.join().unwrap();
        let text = String::from_utf8_lossy(&self.screen.lock().unwrap()).replace("\r\n", "\n");
        let (before, rest) = text.split_once('\n').unwrap();
        let (shown, end) = rest.rsplit_once("ended ").unwrap_or_else(|| panic!("no end: {text}"));
        let (code, after) = end.trim_end().split_once('\n').unwrap();
        Left { shown: shown.to_owned(), code: code.parse().unwrap(), modes: [before.to_owned(), after.to_owned()] }
    }
}
