//! Tells what happens as it happens, for a person to read.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use stream::clock::Stamp;

/// Who does something, which decides the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who writes to the company.
    Customer,
    /// Somebody who answers.
    Agent,
    /// WhatsApp, the shop's server: the other side of outbound messages.
    Provider,
    /// weft itself.
    House,
    /// A report.
    Report,
}

impl Actor {
    const fn colour(self) -> &'static str {
        match self {
            Self::Customer => "36",
            Self::Agent => "32",
            Self::Provider => "35",
            Self::House => "2",
            Self::Report => "33",
        }
    }
}

/// Prints a line for each event, or only keeps them.
#[derive(Debug)]
pub struct Narrator {
    begun: Stamp,
    is_coloured: bool,
    /// Remembers what it is told in place of saying it.
    is_silent: bool,
    is_hushed: AtomicBool,
    told: Mutex<Vec<String>>,
}

impl Narrator {
    /// One who speaks on standard output.
    pub fn aloud() -> Self {
        let is_coloured = std::io::stdout().is_terminal();
        Self {
            begun: Stamp::now(),
            is_coloured,
            is_silent: false,
            is_hushed: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// One who only remembers, for tests that tell the story when they fail.
    pub fn silent() -> Self {
        Self {
            begun: Stamp::now(),
            is_coloured: false,
            is_silent: true,
            is_hushed: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// Says nothing until told to speak up.
    pub fn hush(&self) {
        self.is_hushed.store(true, Ordering::Relaxed);
    }

    /// Speaks again.
    pub fn speak_up(&self) {
        self.is_hushed.store(false, Ordering::Relaxed);
    }

    /// A new chapter.
    pub fn chapter(&self, title: &str, story: &str) {
        self.line("");
        self.line(&self.coloured("1", title));
        if !story.is_empty() {
            for line in folded(story, 88) {
                self.line(&format!("  {}", self.coloured("2", &line)));
            }
        }
    }

    /// One event.
    pub fn tell(&self, actor: Actor, name: &str, text: &str) {
        let at = format!("{:>7.2}s", self.begun.elapsed().as_secs_f64());
        let name = self.coloured(actor.colour(), &format!("{name:<10}"));
        self.line(&format!("{}  {name}  {text}", self.coloured("2", &at)));
    }

    /// A journey that ended as it should.
    pub fn good(&self, text: &str) {
        self.line(&format!("          {} {text}", self.coloured("32", "✓")));
    }

    /// One that did not.
    pub fn bad(&self, text: &str) {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        self.line(&format!("          {} {first}", self.coloured("31", "✗")));
        for line in lines {
            self.line(&format!("            {line}"));
        }
    }

    /// Text as it is, e.g. a table.
    pub fn show(&self, text: &str) {
        for line in text.trim_end().lines() {
            self.line(&format!("  {line}"));
        }
    }

    /// Everything that a silent one was told so far.
    pub fn story(&self) -> String {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    fn coloured(&self, code: &str, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn line(&self, text: &str) {
        if self.is_silent {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        } else if !self.is_hushed.load(Ordering::Relaxed) {
            // Nobody reads any longer when this fails; the journeys go on.
            let _closed = writeln!(std::io::stdout(), "{text}");
        }
    }
}

/// A text in lines of at most `width` characters, broken between words.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a last line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_folded_between_words() {
        assert_eq!(folded("a lost  parcel", 6), ["a lost", "parcel"]);
        assert_eq!(folded("", 6), [""]);
    }

    #[test]
    fn a_silent_narrator_remembers_what_a_loud_one_prints() {
        let narrator = Narrator::silent();
        narrator.chapter("One", "A story.");
        narrator.good("done");
        assert_eq!(narrator.story(), "\nOne\n  A story.\n          ✓ done");
    }
}
