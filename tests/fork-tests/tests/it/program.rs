//! Plays a scenario in the harness's own program and reads its summary.

use std::process::{Command, Output};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Played {
    code: Option<i32>,
    summary: String,
    cases: String,
}

/// Runs `fork-tests` with these arguments. The program keeps the files of a run that is wrong; those of a test go with
/// the test, because many tests are wrong on purpose.
pub(crate) fn fork_tests(arguments: &[&str]) -> Output {
    let place = tempfile::Builder::new().prefix("fork-tests-it-").tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fork-tests"));
    let output = command.args(arguments).env("TMPDIR", place.path()).output().expect("the program starts");
    place.close().expect("the directory can be removed");
    output
}

/// Runs `fork-tests run` with these arguments.
pub(crate) fn play(arguments: &[&str]) -> Played {
    let run = fork_tests(&[&["run"], arguments].concat());
    Played {
        code: run.status.code(),
        summary: String::from_utf8(run.stdout).unwrap(),
        cases: String::from_utf8_lossy(&run.stderr).into_owned(),
    }
}

impl Played {
    /// The number of that name in the summary.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let mut words = self.summary.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// Says why the run was skipped, if it was.
    #[allow(dead_code)]
    pub(crate) fn is_skipped(&self) -> bool {
        let reason = self.summary.split_once("skipped: ");
        reason.inspect(|(_, reason)| eprintln!("skipped: {}", reason.trim())).is_some()
    }

    /// Whether the program said so.
    #[allow(dead_code)]
    pub(crate) fn says(&self, text: &str) -> bool {
        self.cases.contains(text)
    }

    /// Nothing is wrong, and the run was as long and as wide as it was meant to be.
    #[track_caller]
    pub(crate) fn is_right(&self, processes: u64, rollovers: u64, lines: u64) {
        let told = format!("{}\n{}", self.summary, self.cases);
        assert_eq!((self.code, self.count("wrong")), (Some(0), 0), "{told}");
        assert_eq!(self.count("processes"), processes, "{told}");
        assert!(self.count("rollovers") >= rollovers, "{told}");
        assert!(self.count("lines") >= lines, "{told}");
    }

    /// Whether files went while the run went on, and not only in the end. There is no bound on the files that are there
    /// at one time: on a busy machine a process holds its file for as long as it does not get to run, and each period
    /// takes only 40 ms.
    #[allow(dead_code)]
    pub(crate) fn removes_files_all_the_time(&self) -> bool {
        self.count("most_files") < self.count("rollovers")
    }

    /// This is wrong, so many times, and nothing else.
    #[allow(dead_code)]
    #[track_caller]
    pub(crate) fn is_wrong(&self, name: &str, times: u64) {
        let told = format!("{}\n{}", self.summary, self.cases);
        assert_eq!(self.code, Some(1), "{told}");
        assert!(times > 0, "{told}");
        assert_eq!((self.count(name), self.count("wrong")), (times, times), "{told}");
    }
}
