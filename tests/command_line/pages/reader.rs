//! Someone who types what a page says, from its top to its end.

use super::super::terminal::{Kept, Said, interrupt, said};
use super::super::transcript::FILTERS;
use super::elsewhere::is_for_elsewhere;
use super::typed::{Content, Item, items};
use crate::repository::read;
use regex_lite::Regex;
use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// What a page says instead of what it leaves out: whole lines, or the end of one.
const LEFT_OUT: &str = "...";
/// A page ends a command with this to send manifests to the cluster of a rehearsal.
const TO_THE_CLUSTER: &str = " | curl --data-binary @- $AWS_ENDPOINT_URL/kubernetes";
/// The variables of the operators' pages, each with the state machine that it names.
const MACHINES: [(&str, &str); 2] = [("$MIGRATE", "migrate-service"), ("$ROLL_BACK", "roll-back-service")];
/// A rollback by its state machine is over by then.
const LONGEST_EXECUTION: Duration = Duration::from_mins(10);

/// A reader of one page, at a kept rehearsal, with a folder for the files.
pub(super) struct Reader<'world> {
    pub(super) kept: &'world Kept,
    page: &'world Path,
    rest: VecDeque<Item>,
    folder: tempfile::TempDir,
    /// The variables that the page has had exported.
    exports: String,
}

impl<'world> Reader<'world> {
    pub(super) fn of(page: &'world Path, kept: &'world Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { kept, page, rest: items(&read(page)).into(), folder, exports: String::new() }
    }

    /// Types every command that is left below a heading. Each ends with 0.
    pub(super) fn section(&mut self, heading: &str) {
        let commands = self.rest.iter().filter(|item| matches!(item.content, Content::Command { .. }));
        let count = commands.take_while(|item| item.heading == heading).count();
        assert!(
            count > 0,
            "{}: the next command is not below {heading:?}: {:?}",
            self.page.display(),
            self.rest.front()
        );
        for _ in 0..count {
            self.types("", 0);
        }
    }

    /// Types the next command, which begins with these words and ends with this code.
    pub(super) fn types(&mut self, words: &str, code: i32) {
        self.types_with(words, "", code);
    }

    /// The same, with what the page says to add to the command.
    pub(super) fn types_with(&mut self, words: &str, added: &str, code: i32) {
        let (line, typed, shown) = self.next_command();
        let place = format!("{}, line {line}: {typed}", self.page.display());
        assert!(typed.starts_with(words), "{place}: expected {words}");
        if is_for_elsewhere(&typed) {
            return;
        }
        let said = self.run(&(typed + added));
        let watched = said.code == 130;
        assert!(
            said.code == code || watched && code == 0,
            "{place}: ended with {}, expected {code}: {said:#?}",
            said.code
        );
        if !shown.is_empty() {
            assert!(
                shows(&shown, &said.stdout),
                "{place}: printed\n{}and the page shows\n{}",
                said.stdout,
                shown.join("\n")
            );
        }
    }

    /// Saves the next document, which no command precedes, to a file; `complete` adds what the page leaves out.
    pub(super) fn saves(&mut self, name: &str, complete: impl FnOnce(&str) -> String) {
        match self.rest.pop_front() {
            Some(Item { content: Content::Document(text), .. }) => self.writes(name, &complete(&text)),
            other => panic!("{}: expected a document, found {other:?}", self.page.display()),
        }
    }

    /// Writes a file that the page leaves to its reader.
    pub(super) fn writes(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Returns the text of a file that a command has written.
    pub(super) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Types everything that is left.
    pub(super) fn types_the_rest(&mut self) {
        while self.rest.iter().any(|item| matches!(item.content, Content::Command { .. })) {
            self.types("", 0);
        }
    }

    /// Ends at the end of the page.
    pub(super) fn closes(self) {
        let untyped = self.rest.iter().find(|item| matches!(item.content, Content::Command { .. }));
        assert!(untyped.is_none(), "{}: nobody has typed {untyped:?}", self.page.display());
    }

    fn next_command(&mut self) -> (usize, String, Vec<String>) {
        loop {
            let item = self.rest.pop_front().unwrap_or_else(|| panic!("{}: nothing is left", self.page.display()));
            if let Content::Command { typed, shown } = item.content {
                return (item.line, typed, shown);
            }
        }
    }

    fn run(&mut self, typed: &str) -> Said {
        if typed.starts_with("export ") {
            self.exports.extend([typed, "\n"]);
        }
        if let Some(words) = typed.strip_prefix("crossfade ").filter(|words| words.contains("watch ")) {
            return self.watch(words);
        }
        if let Some(printing) = typed.strip_suffix(TO_THE_CLUSTER) {
            let said = self.shell(printing);
            return Said { stdout: self.kept.apply_manifests(&said.stdout), ..said };
        }
        if let Some(folder) = typed.strip_prefix("kubectl apply --kustomize ") {
            return self.apply(folder);
        }
        if let Some(words) = typed.strip_prefix("aws stepfunctions start-execution ") {
            return self.execute(words);
        }
        self.shell(typed)
    }

    fn shell(&self, typed: &str) -> Said {
        said(self.kept.shell(self.folder.path(), &format!("{}{typed}", self.exports)).output().unwrap())
    }

    /// Watches for a moment and presses Ctrl-C. No world time passes: how long a moment is depends on the machine.
    fn watch(&self, words: &str) -> Said {
        let mut command = self.kept.command(words);
        command.env_remove("CROSSFADE_CLOCK").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut watching = command.spawn().unwrap();
        interrupt(&mut watching);
        said(watching.wait_with_output().unwrap())
    }

    /// Sends a folder of manifests to the cluster of the rehearsal.
    fn apply(&self, folder: &str) -> Said {
        let files = std::fs::read_dir(self.folder.path().join(folder)).unwrap();
        let manifests = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let manifests = manifests.collect::<Vec<_>>().join("---\n");
        Said { code: 0, stdout: self.kept.apply_manifests(&manifests), stderr: String::new() }
    }

    /// Starts an execution without the aws CLI.
    fn execute(&self, words: &str) -> Said {
        let call = Regex::new(r"^--state-machine-arn (\$\w+) +--input '(.*)'$").unwrap();
        let [variable, input] = call.captures(words).unwrap_or_else(|| panic!("{words}: expected {call}")).extract().1;
        let (_, machine) = MACHINES.iter().find(|(name, _)| *name == variable).unwrap();
        let ended = self.kept.execute(machine, input, LONGEST_EXECUTION);
        Said { code: 0, stdout: ended.as_str().to_owned(), stderr: String::new() }
    }
}

/// Whether a command printed the lines that a page shows, up to what differs from run to run and what is left out.
fn shows(shown: &[String], printed: &str) -> bool {
    let printed = steady(printed);
    let mut printed = printed.lines().map(str::trim_end);
    let shown = steady(&shown.join("\n"));
    let mut may_skip = false;
    for line in shown.lines() {
        if line.trim() == LEFT_OUT {
            may_skip = true;
            continue;
        }
        let is_shown =
            |printed: &str| line.strip_suffix(LEFT_OUT).map_or(printed == line, |begin| printed.starts_with(begin));
        if !(if may_skip { printed.any(is_shown) } else { printed.next().is_some_and(is_shown) }) {
            return false;
        }
        may_skip = false;
    }
    may_skip || printed.next().is_none()
}

/// A text without what differs from run to run.
fn steady(text: &str) -> String {
    let spans = (r"\b(\d+[dhms])+\b", "[age]");
    FILTERS.iter().copied().chain([spans]).fold(text.to_owned(), |text, (pattern, replacement)| {
        Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned()
    })
}

#[test]
fn what_a_page_shows_is_what_was_printed() {
    let printed = "users-1: at 10 %, for 3m2s\n  targets 3\n  gates   1m ago: baked 2m\n  end\n";
    let check = |shown: &[&str], expected: bool| {
        let lines: Vec<String> = shown.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(shows(&lines, printed), expected, "{shown:?}");
    };
    check(&["users-1: at 10 %, for 9m", "  ...", "  gates   2m ago: baked 2m", "..."], true);
    check(&["users-1: at 10 %, for 9m", "  ...", "  end"], true);
    check(&["users-1: at 10 %, for 9m", "  gates   2m ago: baked 2m", "..."], false);
    check(&["users-1: at 10 %, ...", "..."], true);
    check(&["users-1: at 10 %, for 9m", "  targets 3"], false);
    check(&["users-1: at 25 %, for 9m", "..."], false);
}
