//! The processes of a run: the parent, with one thread or with several, and its children.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use crate::chaos::Plan;
use crate::heap;
use crate::run::Stage;
use crate::scenario::Built;
use harness::clock::Ticking;
use harness::ledger::{State, Word};
use harness::line::Pen;
use harness::load::Until;
use harness::process::{Birth, clone, daemon, execute, fork};
use harness::watch;
use harness::writer::Writer;

impl Stage {
    /// The process that starts the others.
    pub(crate) fn parent(&self) -> i32 {
        let ledger = self.ground.ledger;
        let me = ledger.member(0);
        me.born();
        me.enter(State::Waiting);
        let start = self.scenario.start;
        if let Some(Err(error)) = self.scenario.before.map(|before| before(self)) {
            eprintln!("fork-tests: parent, before the start: {error}");
            return 1;
        }
        let code = if start.busy > 0 { self.busy_parent() } else { self.quiet_parent() };
        if let Err(error) = code {
            eprintln!("fork-tests: parent: {error}");
            return 1;
        }
        me.enter(State::Done);
        0
    }

    /// One thread: starts all children, lifts the starting line, then writes as they do.
    fn quiet_parent(&self) -> Result<(), Box<dyn Error>> {
        let (ground, start) = (&self.ground, self.scenario.start);
        let mut pen = Pen::new(ground.load.sizes);
        let mine = ground.ledger.thread(0, 0);
        let inherited = match start.built {
            Built::BeforeFork => Some(self.build()?),
            Built::AfterFork => None,
        };
        if let Some(writer) = inherited.as_deref() {
            ground.write(writer, mine, &mut pen, Until::Lines(10));
        }
        let children = start.processes + start.visitors;
        for process in 1..=children {
            self.bear(process, inherited.as_deref(), &mut pen)?;
        }
        ground.ledger.lift(children, || self.begin());
        ground.ledger.member(0).enter(State::Working);
        let writer = inherited.map_or_else(|| self.build(), Ok)?;
        ground.write(writer.as_ref(), mine, &mut pen, Until::End);
        if self.scenario.plan.is_some() {
            ground.compare_counts(writer.as_ref(), 0);
        }
        Ok(())
    }

    /// Several threads that log all the time, while children are forked one after the other.
    fn busy_parent(&self) -> Result<(), Box<dyn Error>> {
        let (ground, start) = (&self.ground, self.scenario.start);
        // SAFETY: no other thread runs yet. One arena for all threads makes it likely that a raw
        // clone finds the allocator's lock taken.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
        let writer = self.build()?;
        let writer = writer.as_ref();
        // Events find their call sites registered and the forking thread known.
        let mut pen = Pen::new(ground.load.sizes);
        ground.write(writer, ground.ledger.thread(0, 0), &mut pen, Until::Lines(10));
        ground.ledger.member(0).enter(State::Working);
        ground.ledger.lift(0, || self.begin());
        thread::scope(|scope| {
            for thread in 0..start.busy {
                scope.spawn(move || {
                    let mut pen = Pen::new(ground.load.sizes);
                    let thread = ground.ledger.thread(0, thread);
                    ground.write(writer, thread, &mut pen, Until::End);
                });
            }
            let threads = || (0..start.busy).map(|thread| ground.ledger.thread(0, thread));
            while threads().any(|thread| thread.begun() < 20) {
                thread::sleep(Duration::from_millis(1));
            }
            let children = start.members() - 1;
            let every = self.childbearing() / children as u32;
            let begin = Instant::now();
            for process in 1..=children {
                match start.at_rollovers {
                    true => self.wait_for_rollover(),
                    false => thread::sleep((every * process as u32).saturating_sub(begin.elapsed())),
                }
                self.bear(process, Some(writer), &mut pen)?;
                watch::note_deaths(&ground.ledger);
                // The threads may have ended before the last child is there.
                ground.ledger.thread(0, 0).alive();
            }
            Ok::<(), io::Error>(())
        })?;
        Ok(())
    }

    /// Waits, where no boundary has just been or is about to come, for the next one.
    fn wait_for_rollover(&self) {
        const AROUND: u64 = 2_000_000;
        let (ground, speed) = (&self.ground, self.ground.ticking.speed());
        let now = ground.clock.now();
        let left = ground.pattern.next_boundary(now) - now;
        if ground.pattern.key_at(now - AROUND * speed) == ground.pattern.key_at(now) {
            thread::sleep(Duration::from_nanos((left / speed).saturating_sub(AROUND / 10)));
        }
    }

    /// The load begins: what the clock shows then decides when it ends; 0 where the faults decide.
    fn begin(&self) -> u64 {
        let ground = &self.ground;
        ground.clock.run(ground.ticking);
        match self.scenario.ticking {
            Ticking::Standing(_) => 0,
            _ if self.scenario.start.stay => 0,
            // The part of a period that is left does not count.
            _ => ground.pattern.boundary_after(ground.clock.now(), 1 + ground.load.rollovers),
        }
    }

    /// Over how much time a busy parent spreads the births of its children, by the system's clock as it really is.
    fn childbearing(&self) -> Duration {
        let ground = &self.ground;
        if self.scenario.start.stay {
            return ground.span(Until::End).unwrap_or_default() / 2;
        }
        let left = ground.ledger.get(Word::End).saturating_sub(ground.clock.now());
        let first = ground.pattern.next_boundary(ground.clock.now());
        let period = ground.pattern.next_boundary(first) - first;
        // So that those that live on see their rollovers before the end.
        Duration::from_nanos(left.saturating_sub(4 * period) / ground.ticking.speed())
    }

    /// Starts one child. `pen` was made before, so that a raw clone need not allocate.
    fn bear(&self, process: usize, inherited: Option<&dyn Writer>, pen: &mut Pen) -> io::Result<()> {
        let birth = self.scenario.start.birth;
        let mut life = || self.child(process, inherited, pen);
        match birth {
            Birth::Fork => fork(life).map(drop),
            Birth::Clone => {
                let life = || {
                    heap::count();
                    let code = life();
                    let count = self.ground.ledger.word(Word::Allocations);
                    count.fetch_add(heap::counted(), Relaxed);
                    code
                };
                clone(life).map(drop)
            }
            Birth::Daemon => daemon(life),
            Birth::Exec => {
                let home = self.record.parent().unwrap_or(Path::new("/"));
                let home = format!("--stage={}", home.display());
                execute(&[home, format!("--process={process}")])
            }
        }
    }

    /// The life of a child, from its birth to its exit code.
    pub fn child(&self, process: usize, inherited: Option<&dyn Writer>, pen: &mut Pen) -> i32 {
        let (ledger, start) = (self.ground.ledger, self.scenario.start);
        let me = ledger.member(process);
        me.born();
        me.enter(State::Waiting);
        if let Some(Err(error)) = self.scenario.within.map(|within| within(process)) {
            eprintln!("fork-tests: process {process}, before the start: {error}");
            return 1;
        }
        if start.busy == 0 {
            ledger.wait_for_go();
        }
        me.enter(State::Working);
        if let Some(writer) = inherited {
            self.live(process, writer, pen);
        } else {
            match self.build_if_possible() {
                Ok(writer) => self.live(process, writer.as_ref(), pen),
                Err(error) => {
                    eprintln!("fork-tests: process {process}: {error}");
                    return 1;
                }
            }
        }
        me.enter(State::Done);
        0
    }

    /// Builds, and again as a supervisor does if that fails while files cannot be opened.
    fn build_if_possible(&self) -> Result<Box<dyn Writer>, Box<dyn Error>> {
        let tries_again = self.scenario.plan.as_ref().is_some_and(Plan::obstructs);
        let since = Instant::now();
        loop {
            match self.build() {
                Err(_) if tries_again && since.elapsed() < Duration::from_secs(1) => {
                    thread::sleep(Duration::from_millis(2))
                }
                built => return built,
            }
        }
    }

    fn live(&self, process: usize, writer: &dyn Writer, pen: &mut Pen) {
        let (ground, start) = (&self.ground, self.scenario.start);
        // Where both kinds are asked for they alternate: visitors are spread evenly.
        let (until, threads) = match (self.is_visitor(process), start.busy) {
            (true, _) => (Until::Lines(10), 1),
            (false, busy) if busy == 0 || start.stay => (Until::End, start.threads),
            (false, _) => (Until::Rollovers(3), start.threads),
        };
        let first = ground.ledger.thread(process, 0);
        if threads == 1 {
            // A raw clone must not allocate, and a scope does.
            ground.write(writer, first, pen, until);
        } else {
            self.live_in_threads(process, writer, pen, until);
        }
        if self.scenario.plan.is_some() {
            ground.compare_counts(writer, process);
        }
    }

    fn live_in_threads(&self, process: usize, writer: &dyn Writer, pen: &mut Pen, until: Until) {
        let ground = &self.ground;
        let first = ground.ledger.thread(process, 0);
        thread::scope(|scope| {
            for thread in 1..self.scenario.start.threads {
                scope.spawn(move || {
                    let mut pen = Pen::new(ground.load.sizes);
                    let thread = ground.ledger.thread(process, thread);
                    ground.write(writer, thread, &mut pen, until);
                });
            }
            ground.write(writer, first, pen, until);
        });
    }

    /// Whether a child only visits: `visitors` of the children, spread evenly.
    fn is_visitor(&self, process: usize) -> bool {
        let start = self.scenario.start;
        let (visitors, all) = (start.visitors, start.processes + start.visitors);
        if process > all {
            return false;
        }
        let up_to = |count: usize| count * visitors / all.max(1);
        process > 0 && up_to(process) > up_to(process - 1)
    }
}
