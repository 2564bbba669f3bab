//! Programs for the statistical oracles, and a strategy around the one that is tested.
//!
//! Whatever a real run does besides (the main process starts the others, each begins and ends, receivers take their
//! messages) is done at once and hidden from that strategy. So it sees the events of the program and no others, and the
//! closed forms apply as they are.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::strategy::{Actor, Candidates, Object, Plan, Profile, Strategy};
use lockstep_core::{CONTROL, Config, ExitClass, Grant, MAIN, Micros, Next, Op, ProcessId, Simulation, Target, Wait};

/// What a process of a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something that nobody else can see.
    Local,
    /// Changes an object.
    Touch(u64),
    /// Only looks at it.
    Read(u64),
    /// Sends a message to a mailbox, by number.
    Send(usize),
    /// Starts the process of this number, which the main process does not start then. It must be the next to be started.
    Spawn(usize),
}

/// Who is about to do a step of the program.
type OnStage = Arc<Mutex<BTreeSet<ProcessId>>>;

#[derive(Debug)]
struct Directed {
    strategy: Box<dyn Strategy>,
    on_stage: OnStage,
}

impl Directed {
    fn is_hidden(&self, candidates: &Candidates<'_>, index: usize) -> bool {
        let on_stage = self.on_stage.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(candidates.actor(index), Actor::Process(process) if on_stage.contains(&process))
    }
}

impl Strategy for Directed {
    fn schedule(&mut self, candidates: &Candidates<'_>, choices: usize) -> usize {
        let hidden = (0..candidates.len()).find(|&index| self.is_hidden(candidates, index));
        hidden.unwrap_or_else(|| self.strategy.schedule(candidates, choices))
    }

    fn forced(&mut self, candidates: &Candidates<'_>) {
        if !self.is_hidden(candidates, 0) {
            self.strategy.forced(candidates);
        }
    }

    fn stall(&mut self, _max: Micros, _upcoming: &[Micros]) -> Micros {
        unreachable!("nobody is held back")
    }

    fn latency(&mut self, max: Micros) -> Micros {
        self.strategy.latency(max)
    }

    fn fault(&mut self, count: u64) -> u64 {
        self.strategy.fault(count)
    }

    fn profile(&self) -> Option<Profile> {
        self.strategy.profile()
    }
}

/// Who did the steps on objects and the sends, in order.
pub(crate) fn order(strategy: Box<dyn Strategy>, program: &[Vec<Step>]) -> Vec<usize> {
    Run::new(strategy, program).play().1
}

/// What the undisturbed run shows.
pub(crate) fn profile(program: &[Vec<Step>]) -> Profile {
    let (simulation, _) = Run::new(Plan::Profile.strategy(0, None), program).play();
    simulation.profile().expect("a profile")
}

struct Run<'a> {
    simulation: Simulation,
    on_stage: OnStage,
    program: &'a [Vec<Step>],
    /// How many steps each process has announced.
    announced: Vec<usize>,
    /// Which process of the run is which of the program.
    order: Vec<usize>,
    /// Where the mailboxes begin, among the processes of the run.
    mailboxes: u32,
}

impl<'a> Run<'a> {
    fn new(strategy: Box<dyn Strategy>, program: &'a [Vec<Step>]) -> Self {
        let on_stage = OnStage::default();
        let directed = Directed {
            strategy,
            on_stage: Arc::clone(&on_stage),
        };
        Run {
            simulation: Simulation::new(config(), Box::new(directed)),
            on_stage,
            program,
            announced: vec![0; program.len()],
            order: Vec::new(),
            mailboxes: 1 + started_by_main(program) as u32,
        }
    }

    fn play(mut self) -> (Simulation, Vec<usize>) {
        let mut next = self.simulation.begin().expect("the run begins");
        let mut to_start = started_by_main(self.program) + mailboxes(self.program);
        while let Next::Go(me, grant) = next {
            next = match grant {
                Grant::Ended => {
                    self.simulation.finish(me, &[]).expect("it ends");
                    self.simulation.reaped(me).expect("it is gone")
                }
                _ if me == MAIN && to_start > 0 => {
                    to_start -= 1;
                    self.simulation.announce(me, spawn()).expect("its turn")
                }
                _ => {
                    let op = self.next_op(me);
                    self.simulation.announce(me, op).expect("its turn")
                }
            };
        }
        (self.simulation, self.order)
    }

    /// The process of the program; those that others start come after the mailboxes.
    fn role(&self, me: ProcessId) -> Option<usize> {
        let (first, last) = (self.mailboxes, self.mailboxes + mailboxes(self.program) as u32);
        match me.0 {
            0 => None,
            number if number < first => Some(number as usize - 1),
            number if number < last => None,
            number => Some((number - last + first) as usize - 1),
        }
    }

    fn next_op(&mut self, me: ProcessId) -> Op {
        let Some(role) = self.role(me) else {
            return if me == MAIN {
                Op::Exit(ExitClass::Normal)
            } else {
                Op::Receive(Wait::Forever)
            };
        };
        let script = &self.program[role];
        let done = self.announced[role].checked_sub(1).and_then(|step| script.get(step));
        if matches!(done, Some(Step::Touch(_) | Step::Read(_) | Step::Send(_))) {
            self.order.push(role);
        }
        let step = script.get(self.announced[role]).copied();
        self.announced[role] += 1;
        let mut on_stage = self.on_stage.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Some(step) => {
                on_stage.insert(me);
                self.op(step)
            }
            None => {
                on_stage.remove(&me);
                Op::Exit(ExitClass::Normal)
            }
        }
    }

    fn op(&self, step: Step) -> Op {
        let access = |object, write| Op::Access { object, write };
        match step {
            Step::Local => access(Object::Local, false),
            Step::Touch(number) => access(Object::Shared(number), true),
            Step::Read(number) => access(Object::Shared(number), false),
            Step::Send(mailbox) => Op::Send(Target::Process(ProcessId(self.mailboxes + mailbox as u32))),
            Step::Spawn(_) => spawn(),
        }
    }
}

fn spawned(program: &[Vec<Step>]) -> usize {
    let steps = program.iter().flatten();
    steps.filter(|step| matches!(step, Step::Spawn(_))).count()
}

fn started_by_main(program: &[Vec<Step>]) -> usize {
    program.len() - spawned(program)
}

fn mailboxes(program: &[Vec<Step>]) -> usize {
    let steps = program.iter().flatten();
    let mailboxes = steps.map(|step| if let Step::Send(mailbox) = step { mailbox + 1 } else { 0 });
    mailboxes.max().unwrap_or(0)
}

fn spawn() -> Op {
    Op::Spawn {
        node: CONTROL,
        link: false,
        monitor: None,
        alias: None,
        request: None,
    }
}

fn config() -> Config {
    Config {
        seed: 0,
        max_steps: 100_000,
        max_virtual_time: 1_000_000,
        max_stall: 0,
        max_latency: 0,
        async_delivery: false,
        node_order: false,
        quiescence: true,
        fail_on_crash: false,
        fail_on_blocked: false,
        record: false,
        control: "control".to_owned(),
    }
}
