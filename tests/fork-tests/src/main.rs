//! The harness's program: lists scenarios, plays one, prints what it found in one line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

use fork_tests::chaos;
use fork_tests::disk::Disk;
use fork_tests::heap::Heap;
use fork_tests::run::Stage;
use fork_tests::scenario::{Scenario, Subject};
use fork_tests::scenarios;
use fork_tests::table;
use harness::bad::Habit;
use harness::ledger::Word;
use harness::line::{Pen, Sizes, Way};
use harness::pattern::Archive;

#[global_allocator]
static HEAP: Heap = Heap;

/// Forks real processes that write one log directory, and checks every line.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the scenarios.
    List,
    /// Plays a scenario; the exit code is 1 if anything is wrong in the end.
    Run(Box<Run>),
    /// Plays runs whose options, clocks and faults are drawn by a seed; the exit code is 1 if anything is wrong in the
    /// end.
    ///
    /// The same seed draws the same plan. What comes of it differs from run to run all the same, since nobody tells the
    /// machine which process runs next. The files of a run that is wrong are kept, and the command is printed that
    /// plays its plan again.
    Chaos {
        /// How many runs, each with the next seed.
        #[arg(long, default_value_t = 1)]
        runs: u64,
        /// The seed of the first run; without it, one that nobody has chosen.
        #[arg(long)]
        seed: Option<u64>,
        /// Gives the same load to one of the harness's own simple writers.
        #[arg(long)]
        habit: Option<Habit>,
        /// Prints what is drawn and plays nothing.
        #[arg(long)]
        show: bool,
    },
    /// Plays every attack and prints the table of what was promised and what was found; the exit code is 1 if anything
    /// is wrong.
    Faults {
        /// Each fault strikes a few times only.
        #[arg(long)]
        quick: bool,
        /// Puts tracing-appender through the same, where it can be, and shows the counts without the cases.
        #[arg(long)]
        peer: bool,
        /// As a table in Markdown.
        #[arg(long)]
        markdown: bool,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Its name, see `list`.
    scenario: String,
    /// Children that write until the end.
    #[arg(long)]
    processes: Option<usize>,
    /// Threads of each of them.
    #[arg(long)]
    threads: Option<usize>,
    /// Children that write ten lines and leave.
    #[arg(long)]
    visitors: Option<usize>,
    /// Rollovers that the run lasts.
    #[arg(long)]
    rollovers: Option<u64>,
    /// Lines that all lasting threads write together, at least; 0: as many as the time allows.
    #[arg(long)]
    lines: Option<u64>,
    /// `max_log_files` of the appender, and of the peer. Lines of older files, which may go, do not count as lost.
    #[arg(long)]
    max_log_files: Option<usize>,
    /// Without the links of the scenario.
    #[arg(long)]
    no_link: bool,
    /// Ways in which lines are handed over.
    #[arg(long, value_delimiter = ',')]
    ways: Option<Vec<Way>>,
    /// All lines are events through the appender's own layer; the same as `--ways layer`.
    #[arg(long, conflicts_with_all = ["ways", "peer", "habit"])]
    layer: bool,
    /// `lock_writes` of the appender.
    #[arg(long)]
    lock_writes: bool,
    /// `buffered` of the appender.
    #[arg(long)]
    buffered: bool,
    /// `max_file_bytes` of the appender.
    #[arg(long)]
    max_file_bytes: Option<u64>,
    /// `max_total_bytes` of the appender.
    #[arg(long)]
    max_total_bytes: Option<u64>,
    /// `compress` of the appender.
    #[arg(long)]
    compress: Option<Archive>,
    /// `try_on_finished` of the appender: each finished file is handed over.
    #[arg(long)]
    on_finished: bool,
    /// `header` of the appender: each file begins with a line that names its period.
    #[arg(long)]
    header: bool,
    /// `min_log_files` of the appender.
    #[arg(long)]
    min_log_files: Option<usize>,
    /// How often the faults strike: kills, deletions, times that a disk runs full.
    #[arg(long)]
    trials: Option<usize>,
    /// The file system that the log directory lies on.
    #[arg(long)]
    disk: Option<Disk>,
    /// Lines of about so many bytes.
    #[arg(long)]
    length: Option<usize>,
    /// What the scenario `chaos` draws its plan by.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Acknowledged lines behind a piece of another are shown and are no failure.
    #[arg(long)]
    glued: bool,
    /// Lines of at most 256 B of padding.
    #[arg(long)]
    short: bool,
    /// Gives the same load to `tracing_appender::rolling`, with the same limit on files and the same symbolic link. It
    /// rolls over once a minute at most: where a rollover a second is asked for, its clock runs 60 times as fast. The
    /// exit code is 1 if anything is wrong; the files of the run are kept only where `--dir` is given.
    #[arg(long)]
    peer: bool,
    /// Gives the same load to one of the harness's own simple writers.
    #[arg(long, conflicts_with = "peer")]
    habit: Option<Habit>,
    /// The directory of the run, which must not hold one yet; it is kept.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Set for a re-executed process: the directory of the run that it belongs to.
    #[arg(long, hide = true, requires = "process")]
    stage: Option<PathBuf>,
    /// Set for a re-executed process: its number.
    #[arg(long, hide = true)]
    process: Option<usize>,
}

impl Run {
    fn scenario(&self) -> Result<Scenario, String> {
        let mut all = scenarios::all().into_iter();
        let found = all.find(|scenario| scenario.name == self.scenario);
        let mut scenario =
            found.ok_or_else(|| format!("no scenario {:?}; `fork-tests list` shows them", self.scenario))?;
        if scenario.plan.is_some() {
            scenario = chaos::scenario(self.seed);
        }
        let (start, load) = (&mut scenario.start, &mut scenario.load);
        start.processes = self.processes.unwrap_or(start.processes);
        start.threads = self.threads.unwrap_or(start.threads).max(1);
        start.visitors = self.visitors.unwrap_or(start.visitors);
        load.rollovers = self.rollovers.unwrap_or(load.rollovers);
        load.lines = self.lines.unwrap_or(load.lines);
        if let Some(ways) = &self.ways {
            load.ways = ways.clone().leak();
        }
        if self.layer {
            load.ways = &[Way::Layer];
        }
        if let Some(trials) = self.trials {
            scenario.trials = trials;
            if start.replacements > 0 {
                start.replacements = trials;
            }
        }
        if let Some(length) = self.length {
            load.sizes = Sizes::About(length);
        }
        scenario.disk = self.disk.unwrap_or(scenario.disk);
        scenario.setup.lock_writes |= self.lock_writes;
        scenario.setup.buffered |= self.buffered;
        // Nobody can look into the ring of another user's process, which is reported.
        scenario.allows.errors |= self.buffered && scenario.name == "two-users";
        scenario.setup.max_file_bytes = self.max_file_bytes.or(scenario.setup.max_file_bytes);
        // The rings of all processes are smaller than what is freed of a full disk at a time, and do not hold the lines
        // of dozens of files, which a process that ends makes all at once.
        if scenario.disk != Disk::Host || scenario.setup.max_file_bytes.is_some_and(|bytes| bytes < 64 << 10) {
            scenario.setup.ring_bytes = Some(64 << 10);
        }
        scenario.setup.max_total_bytes = self.max_total_bytes.or(scenario.setup.max_total_bytes);
        scenario.prunes |= self.max_total_bytes.is_some();
        scenario.setup.compress = self.compress.or(scenario.setup.compress);
        if self.on_finished {
            scenario.setup.hook = Some(scenario.setup.hook.unwrap_or_default());
        }
        scenario.setup.header |= self.header;
        scenario.setup.min_log_files = self.min_log_files.or(scenario.setup.min_log_files);
        // Under the lock a piece of a line becomes a line of its own.
        scenario.allows.glued &= !(self.lock_writes && scenario.setup.max_file_bytes.is_some());
        scenario.allows.glued |= self.glued;
        if self.short {
            load.sizes = Sizes::Short;
        }
        if let Some(habit) = self.habit {
            scenario = scenario.for_simple(habit);
        }
        if self.no_link {
            (scenario.setup.latest_symlink, scenario.setup.latest_hard_link) = (None, None);
        }
        if self.peer {
            scenario = scenario.for_peer();
        }
        scenario.setup.max_log_files = self.max_log_files.or(scenario.setup.max_log_files);
        scenario.prunes |= self.max_log_files.is_some();
        Ok(scenario)
    }

    fn play(&self) -> Result<bool, Box<dyn std::error::Error>> {
        let scenario = self.scenario()?;
        let begin = Instant::now();
        let (name, subject) = (scenario.name, scenario.subject);
        let home = match &self.dir {
            Some(home) => {
                std::fs::create_dir_all(home)?;
                Home::Kept(std::path::absolute(home)?)
            }
            None => Home::Temporary(tempfile::Builder::new().prefix("fork-tests-").tempdir()?),
        };
        let stage = match Stage::create(scenario, home.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                println!("scenario={name} skipped: {error}");
                return Ok(true);
            }
            stage => stage?,
        };
        let report = stage.play()?;
        let seconds = begin.elapsed().as_secs_f64();
        let writer = match subject {
            Subject::Prefork => "tracing-prefork".to_owned(),
            Subject::Peer => "tracing-appender".to_owned(),
            Subject::Simple(habit) => format!("simple-{habit:?}").to_lowercase(),
        };
        let wronged = stage.ground.ledger.get(Word::Wronged);
        let wronged = if self.habit.is_some() { format!(" wronged={wronged}") } else { String::new() };
        println!("scenario={name} writer={writer} {}{wronged} seconds={seconds:.1}", report.counts);
        for case in &report.cases {
            eprintln!("fork-tests: {case}");
        }
        let right = report.counts.wrong() == 0;
        if !right && !self.peer {
            stage.rescue();
            eprintln!("fork-tests: kept in {}", home.keep().display());
        }
        Ok(right)
    }

    /// The life of a re-executed process.
    fn join(&self, home: &std::path::Path, process: usize) -> Result<i32, Box<dyn std::error::Error>> {
        let stage = Stage::open(self.scenario()?, home)?;
        Ok(stage.child(process, None, &mut Pen::new(stage.scenario.load.sizes)))
    }
}

/// Where a run lies: where the user said, or in a directory that goes with it.
enum Home {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Home {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    fn keep(self) -> PathBuf {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.keep(),
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::List => {
            for scenario in scenarios::all() {
                println!("{:24} {}", scenario.name, scenario.about);
            }
            Ok(true)
        }
        Command::Chaos { runs, seed, habit, show } => chaos::play(runs, seed, habit, show).map_err(Into::into),
        Command::Faults { quick, peer, markdown } => table::print(quick, peer, markdown).map_err(Into::into),
        Command::Run(run) => match (&run.stage, run.process) {
            (Some(home), Some(process)) => run.join(home, process).map(|code| code == 0),
            _ => run.play(),
        },
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fork-tests: {error}");
            ExitCode::FAILURE
        }
    }
}
