//! The state machine: one run of a cluster.

mod aliases;
mod births;
mod channels;
mod cluster;
mod config;
mod connections;
mod due;
mod ended;
mod exits;
mod family;
mod flow;
mod links;
mod mailbox;
mod messages;
mod misuse;
mod monitors;
mod names;
mod offer;
mod onlooker;
mod outcome;
mod perform;
mod processes;
mod queries;
mod queue;
mod signals;
mod suspension;
mod ticks;
mod timers;
mod touching;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::aliases::Alias;
pub use self::config::Config;
use self::due::Due;
use self::ended::JustEnded;
use self::family::Family;
pub use self::misuse::Misuse;
pub use self::offer::{Offer, Offered};
use self::onlooker::Onlooker;
pub use self::outcome::Outcome;
pub use self::queries::{Activity, Load};
use self::queue::Queue;
use self::timers::Timer;
use crate::causality::Causality;
use crate::choices::{Choices, Decision};
use crate::clock::{Clock, Micros};
use crate::connection::Pair;
use crate::explorer::Explorer;
use crate::ids::{CONTROL, MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::network::{ChannelKey, Network, Node};
use crate::op::{Death, Farewell, Grant, Latency, Op};
use crate::process::{Process, State};
use crate::rng::{Rng, Stream};
use crate::strategy::Strategy;
use crate::symbols::Symbols;
use crate::trace::{Event, Kind, Trace};

/// How many steps in a row a process stays at the front of the queue while others wait. The VM, too, takes a process
/// off its scheduler after a while; without this, one that polls would starve the rest under the FIFO strategy.
const SLICE: u32 = 500;
/// How long a partition lasts before both sides notice it, unless set otherwise.
const DEFAULT_TICK_TIME: Micros = 15_000_000;
/// After how long a silent connection is given up (`net_ticktime`).
const NET_TICK_TIME: Micros = 60_000_000;

/// How many of the next deadlines are offered to whoever chooses the length of a stall.
const UPCOMING: usize = 8;

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This process goes on, with the answer to what it has announced.
    Go(ProcessId, Grant),
    /// The next choice is made outside: see [`Simulation::offer`] and [`Simulation::answer`].
    Choose,
    /// The run is over; see [`Simulation::outcome`].
    Over,
}

/// An event that can happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Run(ProcessId),
    Deliver(ChannelKey),
    Fire(RefId),
    /// A set-up is answered.
    Connect(Pair),
    /// The first hears that the second has closed their connection.
    Close(NodeId, NodeId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Nobody,
    Of(ProcessId),
    /// The process has ended; all wait until its real counterpart is gone, and its tables with it.
    Reaping(ProcessId),
}

/// One run.
#[derive(Debug)]
pub struct Simulation {
    config: Config,
    choices: Choices,
    trace: Trace,
    causality: Causality,
    explorer: Option<Box<Explorer>>,
    program: Rng,
    clock: Clock<Due>,
    queue: Queue,
    /// By number; a dead process leaves an empty place.
    processes: Vec<Option<Box<Process>>>,
    /// Every process's node, dead ones' too.
    homes: Vec<NodeId>,
    family: Family,
    just_ended: JustEnded,
    /// Who serves the others, dead ones too: that they wait for ever says nothing.
    daemons: BTreeSet<ProcessId>,
    /// Every process's last name, dead ones' too.
    labels: Vec<Option<Symbol>>,
    network: Network,
    symbols: Symbols,
    aliases: BTreeMap<RefId, Alias>,
    timers: BTreeMap<RefId, Timer>,
    turn: Turn,
    /// Who goes on, with what answer.
    held: Option<(ProcessId, Grant)>,
    /// Killed, and still to be told so, before any other step.
    doomed: VecDeque<(ProcessId, Death)>,
    steps: u64,
    messages: u64,
    /// How long a partition that drops or defers lasts before it is noticed.
    tick_time: Micros,
    net_tick_time: Micros,
    /// How long messages between nodes are under way, unless set otherwise for two of them.
    latency: Latency,
    outcome: Option<Outcome>,
    onlooker: Option<Onlooker>,
    /// Waits that end only when the clock has got there for another reason.
    lazy: BTreeSet<(Micros, ProcessId)>,
}

impl Simulation {
    /// A cluster with the control node and the main process on it, about to take its first step.
    pub fn new(config: Config, strategy: Box<dyn Strategy>) -> Self {
        let mut symbols = Symbols::default();
        let control = symbols.intern(&config.control);
        let mut simulation = Simulation {
            choices: Choices::new(strategy, config.record),
            trace: Trace::new(config.record),
            causality: Causality::default(),
            explorer: None,
            program: Rng::new(config.seed, Stream::Program),
            clock: Clock::new(),
            queue: Queue::default(),
            processes: Vec::new(),
            homes: Vec::new(),
            family: Family::default(),
            just_ended: JustEnded::default(),
            daemons: BTreeSet::new(),
            labels: Vec::new(),
            network: Network {
                nodes: vec![Node {
                    up: true,
                    started: true,
                    ..Node::new(control)
                }],
                ..Network::default()
            },
            symbols,
            aliases: BTreeMap::new(),
            timers: BTreeMap::new(),
            turn: Turn::Nobody,
            doomed: VecDeque::new(),
            held: None,
            steps: 0,
            messages: 0,
            tick_time: DEFAULT_TICK_TIME,
            net_tick_time: NET_TICK_TIME,
            latency: Latency::range(0, config.max_latency),
            outcome: None,
            onlooker: None,
            lazy: BTreeSet::new(),
            config,
        };
        simulation.create(None, CONTROL, State::Enabled(Op::Start));
        simulation
    }

    /// Makes the first decision.
    pub fn begin(&mut self) -> Result<Next, Misuse> {
        match self.turn {
            _ if self.outcome.is_some() => Err(Misuse::Ended),
            Turn::Nobody => Ok(self.decide()),
            Turn::Of(_) | Turn::Reaping(_) => Err(Misuse::NotYourTurn),
        }
    }

    /// Announces what `me`, whose turn it is, is about to do, and decides who goes on.
    pub fn announce(&mut self, me: ProcessId, op: Op) -> Result<Next, Misuse> {
        self.check_turn(me)?;
        self.check_op(&op)?;
        if self.looks_on(me) {
            return self.look_on(me, op);
        }
        match op {
            // It has been killed by its own signal: whatever it announces never happens.
            _ if self.is_ending(me) => {}
            Op::Receive(wait) => {
                if let Some(next) = self.wait(me, wait) {
                    return Ok(next);
                }
            }
            op => self.enable(me, op),
        }
        Ok(self.decide())
    }

    /// Ends a process that was told that it has [`Grant::Ended`] or to [`Grant::Die`]: who must hear of it. What it
    /// leaves goes to the `heirs`, of whom one that inherits twice is named twice.
    pub fn finish(&mut self, me: ProcessId, heirs: &[ProcessId]) -> Result<Farewell, Misuse> {
        self.check_turn(me)?;
        if heirs.iter().any(|&heir| !self.alive(heir)) {
            return Err(Misuse::BadArgument("the dead do not inherit"));
        }
        match self.expect(me).state {
            State::Ending(class) => Ok(Farewell {
                heirs: self.bequeath(me, heirs),
                ties: self.end(me, class),
            }),
            _ => Err(Misuse::NotYourTurn),
        }
    }

    /// The real counterpart of `process` is gone; decides who goes on.
    pub fn reaped(&mut self, process: ProcessId) -> Result<Next, Misuse> {
        self.check_process(process)?;
        if self.outcome.is_some() {
            return Ok(Next::Over);
        }
        if self.turn != Turn::Reaping(process) {
            self.outcome = Some(Outcome::Lost(process));
        }
        Ok(self.decide())
    }

    /// Puts a process in the queue: in front, so that it goes on unless disturbed, or behind the others.
    fn enable(&mut self, me: ProcessId, op: Op) {
        let front = !matches!(op, Op::Yield | Op::Receive(_));
        let process = self.expect(me);
        process.state = State::Enabled(op);
        process.slice += 1;
        if process.is_suspended() {
            return;
        }
        if front && process.slice < SLICE {
            self.queue.push_front(Ready::Run(me));
        } else {
            process.slice = 0;
            self.queue.push_back(Ready::Run(me));
        }
    }

    fn decide(&mut self) -> Next {
        self.turn = Turn::Nobody;
        if let Some(next) = self.next_look() {
            return next;
        }
        loop {
            // Before anything else: after a choice that was not made, how the run ended says nothing.
            if let Some(choice) = self.choices.divergence() {
                self.outcome = Some(Outcome::Diverged(choice));
            }
            if self.outcome.is_some() {
                return Next::Over;
            }
            if let Some((process, grant)) = self.held.take() {
                self.turn = Turn::Of(process);
                return Next::Go(process, grant);
            }
            if let Some((process, death)) = self.doomed.pop_front() {
                self.turn = Turn::Of(process);
                self.event(Some(process), Kind::Killed, 0, 0);
                return Next::Go(process, Grant::Die(death));
            }
            self.outcome = self.limit();
            if self.outcome.is_none() && self.doomed.is_empty() {
                if self.asks() {
                    return Next::Choose;
                }
                if let Some((process, grant)) = self.step() {
                    self.held = Some((process, grant));
                }
            }
        }
    }

    /// A process can go on; one that is suspended does so when it is resumed.
    fn release(&mut self, process: ProcessId, op: Op) {
        let entry = self.expect(process);
        entry.deadline = None;
        entry.slice = 0;
        entry.state = State::Enabled(op);
        if !entry.is_suspended() {
            self.queue.push_back(Ready::Run(process));
        }
    }

    /// One choice and what follows from it; the answer to the process that was chosen, if one was.
    fn step(&mut self) -> Option<(ProcessId, Grant)> {
        if self.queue.is_empty() {
            return None;
        }
        let ready = match self.choose()? {
            Decision::Run(index) => self.queue.take(index)?,
            Decision::Stall(index, length) => match self.queue.take(index)? {
                Ready::Run(process) => {
                    self.stall(process, length);
                    return None;
                }
                other => other,
            },
        };
        self.begin_event(ready);
        match ready {
            Ready::Run(process) => self.run(process),
            other => {
                self.happen(other);
                None
            }
        }
    }

    /// What nobody has announced: it happens by itself.
    fn happen(&mut self, ready: Ready) {
        match ready {
            Ready::Deliver(key) => self.deliver_first(key),
            Ready::Fire(reference) => self.fire(reference),
            Ready::Connect(pair) => self.answer_set_up(pair),
            Ready::Close(at, other) => self.closed_by_other(at, other),
            Ready::Run(_) => unreachable!("a process announces what it does"),
        }
    }

    /// Whether something falls due soon, and how long a process may be held back now.
    fn stall_limit(&self) -> (bool, Micros) {
        let next = self.clock.next().map(|due| due - self.clock.now());
        // Holding back the only one that can run matters only if something falls due meanwhile.
        let due_soon = next.is_some_and(|next| next <= self.config.max_stall);
        let matters = self.queue.len() > 1 || due_soon;
        (due_soon, if matters { self.config.max_stall } else { 0 })
    }

    fn stall(&mut self, process: ProcessId, length: Micros) {
        self.event(Some(process), Kind::Stall, length, 0);
        let deadline = self
            .clock
            .set(self.clock.now().saturating_add(length), Due::Release(process));
        let entry = self.expect(process);
        entry.deadline = Some(deadline);
        if let State::Enabled(op) = std::mem::replace(&mut entry.state, State::Running) {
            entry.state = State::Stalled(op);
        }
    }

    fn run(&mut self, process: ProcessId) -> Option<(ProcessId, Grant)> {
        let State::Enabled(op) = std::mem::replace(&mut self.expect(process).state, State::Running) else {
            unreachable!("only enabled processes are in the queue");
        };
        let grant = self.perform(process, op);
        if self.get(process).is_some_and(|entry| entry.kept_by.is_some()) {
            return None;
        }
        // One that has killed itself still has to send itself the reason; its next step is its last.
        let goes_on = matches!(grant, Grant::Ended | Grant::Sent(..)) || !self.is_ending(process);
        goes_on.then_some((process, grant))
    }

    fn next_message(&mut self) -> MessageId {
        self.messages += 1;
        MessageId(self.messages)
    }

    fn event(&mut self, process: Option<ProcessId>, kind: Kind, object: u64, detail: u64) {
        if self.onlooker.is_some_and(|onlooker| onlooker.looking) {
            return;
        }
        self.steps += 1;
        let node = process.map(|process| self.home(process));
        let time = self.clock.now();
        let event = Event {
            step: self.steps,
            time,
            process,
            node,
            kind,
            object,
            detail,
            digest: 0,
            text: String::new(),
            place: None,
        };
        self.trace.push(event);
    }
}
