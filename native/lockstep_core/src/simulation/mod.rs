//! The state machine: one run of a cluster.

mod cluster;
mod config;
mod connections;
mod ended;
mod family;
mod flow;
mod misuse;
mod offer;
mod onlooker;
mod outcome;
mod perform;
mod queries;
mod queue;
mod signals;
mod suspension;
mod touching;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use self::config::Config;
use self::ended::JustEnded;
use self::family::Family;
pub use self::misuse::Misuse;
pub use self::offer::{Offer, Offered};
use self::onlooker::Onlooker;
pub use self::outcome::Outcome;
pub use self::queries::{Activity, Load};
use self::queue::Queue;
use crate::causality::{Causality, Cause};
use crate::choices::{Choices, Decision};
use crate::clock::{Clock, Deadline, Micros};
use crate::connection::Pair;
use crate::explorer::Explorer;
use crate::ids::{CONTROL, MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::network::{ChannelKey, Network, Node};
use crate::op::{AliasMode, Death, Farewell, Grant, Item, Latency, Op, Target, Wait};
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

/// What happens by itself when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Wake(ProcessId),
    Release(ProcessId),
    Arrive(ChannelKey),
    Fire(RefId),
    /// The first gives the second up.
    Tick(NodeId, NodeId),
    SetUp(Pair),
    SetUpFails(Pair),
    Close(NodeId, NodeId),
    /// The pause of a process is over.
    Thaw(ProcessId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Nobody,
    Of(ProcessId),
    /// The process has ended; all wait until its real counterpart is gone, and its tables with it.
    Reaping(ProcessId),
}

#[derive(Debug, Clone, Copy)]
struct Alias {
    owner: ProcessId,
    mode: AliasMode,
    /// The one message that it lets through has arrived, and its owner has not looked yet.
    used: bool,
    /// The end of the watched process, which came after that message and counts only if the message does not.
    missed: Option<Item>,
}

impl Alias {
    fn new(owner: ProcessId, mode: AliasMode) -> Self {
        Alias {
            owner,
            mode,
            used: false,
            missed: None,
        }
    }

    fn ends_with_monitor(self) -> bool {
        matches!(self.mode, AliasMode::Demonitor | AliasMode::ReplyDemonitor)
    }
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    target: Target,
    id: MessageId,
    due: Micros,
    deadline: Deadline,
    /// What has started it.
    cause: Cause,
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

    /// Takes what has been delivered to `me`; not a step.
    pub fn fetch(&mut self, me: ProcessId) -> Result<Vec<Item>, Misuse> {
        self.check_turn(me)?;
        Ok(self.take_inbox(me))
    }

    /// Marks a process that serves the others; not a step.
    pub fn set_daemon(&mut self, process: ProcessId) {
        self.daemons.insert(process);
    }

    /// Marks a process that owns something shared: its end concerns all who touch that. Not a step.
    pub fn set_owner(&mut self, process: ProcessId) {
        let new = self.living(process).filter(|entry| !entry.owner);
        if let Some(entry) = new {
            entry.owner = true;
            self.queue.touch(Ready::Run(process));
        }
    }

    /// Begins to wait; answers at once where there is nothing to wait for.
    fn wait(&mut self, me: ProcessId, wait: Wait) -> Option<Next> {
        let now = self.clock.now();
        let process = self.expect(me);
        match wait {
            Wait::Forever => process.receive_until = None,
            Wait::Lazily(time) => process.receive_until = Some(now.saturating_add(time)),
            Wait::For(time) => process.receive_until = Some(now.saturating_add(time)),
            Wait::Poll => process.receive_until = Some(now),
            Wait::Rest | Wait::Expired => {}
        }
        // What has come when the time was up has been looked at: nothing more is waited for.
        let polled = std::mem::take(&mut process.polled);
        if polled && wait == Wait::Rest && process.inbox.is_empty() {
            let grant = self.perform(me, Op::Receive(Wait::Rest));
            return Some(Next::Go(me, grant));
        }
        // A message that is there already can be taken without a choice: receiving it commutes with all else. Whether it
        // is there when nobody waits for it does not.
        let until = process.receive_until;
        if !process.inbox.is_empty() && until.is_none_or(|until| until > now) {
            let grant = self.perform(me, Op::Receive(wait));
            return Some(Next::Go(me, grant));
        }
        match until {
            Some(until) if until <= now => self.enable(me, Op::Receive(wait)),
            until => {
                process.state = State::Waiting;
                if let (Wait::Lazily(_), Some(until)) = (wait, until) {
                    self.lazy.insert((until, me));
                    return None;
                }
                let deadline = until.map(|until| self.clock.set(until, Due::Wake(me)));
                self.expect(me).deadline = deadline;
            }
        }
        None
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

    /// Lets time pass until something can happen; false when nothing ever will.
    fn advance(&mut self) -> bool {
        loop {
            while let Some(due) = self.clock.pop_due() {
                self.come_due(due);
            }
            self.wake_lazy();
            if self.config.node_order {
                self.activate_held();
            }
            let late = self.clock.now() > self.config.max_virtual_time;
            if late || !self.queue.is_empty() || !self.doomed.is_empty() {
                return true;
            }
            if !self.clock.jump() {
                return false;
            }
            self.causality.jump(self.clock.now());
        }
    }

    fn come_due(&mut self, due: Due) {
        match due {
            Due::Wake(process) => self.wake(process),
            Due::Release(process) => {
                if let State::Stalled(op) = std::mem::replace(&mut self.expect(process).state, State::Running) {
                    self.release(process, op);
                }
            }
            Due::Arrive(key) => self.activate(key),
            Due::Fire(reference) => self.fire_due(reference),
            Due::Tick(at, other) => self.tick(at, other),
            Due::SetUp(pair) => self.set_up_arrives(pair),
            Due::SetUpFails(pair) => self.fail_set_up(pair),
            Due::Close(at, other) => self.close_arrives(at, other),
            Due::Thaw(process) => self.end_pause(process),
        }
    }

    /// Whoever waits for the clock to get to where it is now by itself has waited long enough.
    fn wake_lazy(&mut self) {
        let now = self.clock.now();
        while let Some(&(until, process)) = self.lazy.first().filter(|(until, _)| *until <= now) {
            self.lazy.remove(&(until, process));
            let waits = |entry: &Process| entry.state == State::Waiting && entry.deadline.is_none();
            if self
                .get(process)
                .is_some_and(|entry| waits(entry) && entry.receive_until == Some(until))
            {
                self.wake(process);
            }
        }
    }

    /// The time of a receive is up.
    fn wake(&mut self, process: ProcessId) {
        let entry = self.expect(process);
        if entry.is_suspended() {
            entry.deadline = None;
            entry.expired = true;
        } else {
            self.release(process, Op::Receive(Wait::Rest));
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

    fn create(&mut self, parent: Option<ProcessId>, node: NodeId, state: State) -> ProcessId {
        let process = ProcessId(self.processes.len() as u32);
        let mut entry = Process::new(node);
        entry.frozen = self.network.node(node).paused.is_some();
        let ready = state != State::Unborn && !entry.frozen;
        entry.state = state;
        self.processes.push(Some(Box::new(entry)));
        self.homes.push(node);
        self.family.born(parent);
        self.causality.enabled(process);
        self.labels.push(None);
        if ready {
            self.queue.push_back(Ready::Run(process));
        }
        process
    }

    /// A living process; callers know that it lives.
    fn expect(&mut self, process: ProcessId) -> &mut Process {
        self.processes[process.0 as usize]
            .as_deref_mut()
            .expect("the process is alive")
    }

    fn living(&mut self, process: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(process.0 as usize)?.as_deref_mut()
    }

    fn is_ending(&self, process: ProcessId) -> bool {
        self.get(process)
            .is_some_and(|entry| matches!(entry.state, State::Ending(_)))
    }

    fn get(&self, process: ProcessId) -> Option<&Process> {
        self.processes.get(process.0 as usize)?.as_deref()
    }

    fn home(&self, process: ProcessId) -> NodeId {
        self.homes[process.0 as usize]
    }

    /// The node of whoever is reached under an address. A reference's number begins with one more than that of the
    /// process that made it.
    fn home_of(&self, target: Target) -> NodeId {
        match target {
            Target::Process(process) => self.home(process),
            Target::Name(node, _) => node,
            Target::Alias(reference) => {
                let maker = (reference.0 >> 32).checked_sub(1);
                let home = maker.and_then(|maker| self.homes.get(maker as usize));
                home.copied().unwrap_or(CONTROL)
            }
        }
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
