//! What a process announces, and what it is told when its turn has come.

use crate::clock::Micros;
use crate::ids::{MessageId, NodeId, ProcessId, RefId, Symbol};
use crate::strategy::Object;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// To a process.
    Process(ProcessId),
    /// To whoever has the name on the node when the message arrives.
    Name(NodeId, Symbol),
    /// Through an alias.
    Alias(RefId),
}

/// How an alias ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasMode {
    /// Only when it is taken back.
    Explicit,
    /// With its monitor.
    Demonitor,
    /// With its monitor or with the first message that comes through it.
    ReplyDemonitor,
    /// With the first message that comes through it (an alias without a monitor).
    Reply,
}

/// How a process waits for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For ever.
    Forever,
    /// Not at all: `after 0`.
    Poll,
    /// So long, counted from the first wait of this `receive`.
    For(Micros),
    /// At least so long: until the clock has got there because of something else, if it ever does.
    Lazily(Micros),
    /// As long as is left of the wait that this `receive` has begun.
    Rest,
    /// No longer: the time was up while the process was suspended. What has come since is left for the next `receive`.
    Expired,
}

/// The kind of reason with which a process ends or with which it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitClass {
    /// `normal`.
    Normal,
    /// `shutdown` and `{shutdown, _}`: an orderly end, though not a normal one.
    Shutdown,
    /// `kill` sent by `exit/2`: cannot be trapped.
    Kill,
    /// Anything else.
    Crash,
}

/// How long messages are under way: ranges with their weights, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency(pub Vec<(u64, Micros, Micros)>);

impl Latency {
    /// Between these two, all alike.
    pub fn range(min: Micros, max: Micros) -> Self {
        Latency(vec![(1, min, max)])
    }
}

/// What becomes of messages across a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionMode {
    /// They are lost.
    Drop,
    /// They are kept until the partition heals.
    Defer,
    /// What a network does that goes silent: nothing is lost as long as no side gives the connection up.
    Tcp,
    /// They are kept until they are released, and neither side is the wiser.
    Hold,
}

/// Whether a node connects to others by itself when something is sent there (`dist_auto_connect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoConnect {
    /// Whenever it is needed.
    Always,
    /// Never: only when it is asked to.
    Never,
    /// Once a node; after a lost connection only when it is asked to.
    Once,
}

/// Which events of nodes a process wants to hear of (`net_kernel:monitor_nodes/2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// What the BEAM side makes of an event: its own number.
    pub shape: u32,
    /// Nodes that others see.
    pub visible: bool,
    /// Hidden nodes.
    pub hidden: bool,
}

/// Why a connection was lost, as the node that lost it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownReason {
    /// It was asked to disconnect.
    Disconnect,
    /// The other side has closed it.
    ConnectionClosed,
    /// Nothing was heard for the tick time.
    NetTickTimeout,
    /// The other side had given it up long ago, and has connected anew.
    WaitPending,
}

/// What a lost or a new connection means to a process that wants to hear of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeEvent {
    /// The node.
    pub node: NodeId,
    /// None for one that has come.
    pub down: Option<DownReason>,
    /// The connection, in the count of the process's own node.
    pub connection: u32,
    /// Whether it is a hidden one.
    pub hidden: bool,
    /// From the subscription.
    pub shape: u32,
}

/// Something to know of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Whether others see it.
    Hidden(bool),
    /// Whether it is part of the distribution.
    Alive(bool),
    /// Whether it connects by itself.
    AutoConnect(AutoConnect),
    /// From which nodes it takes connections, besides those that it allows already.
    Allow(Vec<NodeId>),
    /// Its cookie for one node, or for all others; none is the one that every node has from the start.
    Cookie(Option<NodeId>, Option<Symbol>),
    /// `net_ticktime` and `net_tickintensity`.
    Tick(Micros, u64),
}

/// Which cuts heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Those around one node.
    Node(NodeId),
    /// Those between two.
    Between(NodeId, NodeId),
}

/// A reason that the core itself gives, without any process having made the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemReason {
    /// There is no such process.
    Noproc,
    /// The connection between the nodes is lost.
    Noconnection,
    /// The node was stopped.
    Nodedown,
    /// Killed by `exit(Pid, kill)`.
    Killed,
}

/// One thing in a process's mailbox, in the order of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A term that was sent to the real process under this number.
    Term(MessageId),
    /// A term that is parked in the run's store under this number (timers).
    Parked(MessageId),
    /// A monitor fired, with a reason of the core's own.
    Down(RefId, SystemReason),
    /// An exit signal that is trapped, with a reason of the core's own.
    Exit(ProcessId, SystemReason),
    /// A watched node went down.
    NodeDown(NodeId),
    /// News for who wants to hear of all nodes.
    Node(NodeEvent),
    /// The outcome of an attempt to connect.
    Connected(RefId, bool),
    /// The process of which the term under this number tells that it was started cannot be reached any more.
    NotSpawned(MessageId),
}

/// What a killed process dies of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Of the exit signal whose term was sent to it under this number.
    Signal(MessageId),
    /// Of a reason the core itself gives.
    System(SystemReason),
}

/// A process is asked for, and not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What the request is known by.
    pub reference: RefId,
    /// Whether the caller wants to be told of a success.
    pub success: bool,
    /// Whether it wants to be told of a failure.
    pub failure: bool,
}

/// A visible operation, announced before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A new process's first step.
    Start,
    /// Sends a message.
    Send(Target),
    /// Sends a message unless that would need a new connection.
    SendIfConnected(Target),
    /// How many bytes the last thing was that the caller has sent, which waits to get out of its node. It goes on when
    /// the connection takes more again, or at once if it does not want to be suspended.
    Weigh { bytes: u64, suspend: bool },
    /// Waits for messages.
    Receive(Wait),
    /// Starts a process.
    Spawn {
        node: NodeId,
        link: bool,
        monitor: Option<RefId>,
        /// The alias that comes with the monitor.
        alias: Option<AliasMode>,
        /// The caller does not wait: a message, if it wants one, tells it the outcome (`spawn_request`).
        request: Option<Request>,
    },
    /// Wants to hear no more of a process that was asked for.
    Abandon(RefId),
    /// Links the caller to a process.
    Link(ProcessId),
    /// Takes a link back.
    Unlink(ProcessId),
    /// Watches a process or name.
    Monitor {
        target: Target,
        reference: RefId,
        alias: Option<AliasMode>,
    },
    /// Stops watching.
    Demonitor(RefId),
    /// Makes an alias without a monitor.
    Alias(RefId, AliasMode),
    /// Takes an alias back.
    Unalias(RefId),
    /// Sends an exit signal: `exit/2`.
    Signal(ProcessId, ExitClass),
    /// Ends the caller.
    Exit(ExitClass),
    /// Sets whether the caller traps exits.
    TrapExit(bool),
    /// Gives a process a name on the caller's node.
    Register(Symbol, ProcessId),
    /// Takes a name away.
    Unregister(Symbol),
    /// Looks a name up on the caller's node.
    Whereis(Symbol),
    /// Starts a timer for a process or a name of the caller's node.
    StartTimer {
        after: Micros,
        target: Target,
        reference: RefId,
    },
    /// Stops a timer.
    CancelTimer(RefId),
    /// Asks how long a timer has still to go.
    ReadTimer(RefId),
    /// Touches something shared that the BEAM side looks after.
    Access { object: Object, write: bool },
    /// Looks at a process, or at all of them. Whatever the caller has sent to that one has arrived before.
    Look(Option<ProcessId>),
    /// Gives a process of another node a group leader. Who that is only the BEAM side knows.
    Lead(ProcessId),
    /// Keeps a process from taking steps until it is resumed as often; with `once`, unless the caller does so already.
    Suspend { process: ProcessId, once: bool },
    /// Takes one suspension back.
    Resume(ProcessId),
    /// Lets others go first.
    Yield,
    /// Has seen enough until something has happened, or, with `false`, for good. Only for who looks on.
    Watch(bool),
    /// Cuts the groups of nodes off from one another.
    Partition(Vec<Vec<NodeId>>, PartitionMode),
    /// Cuts the way from some nodes to others, and not back.
    CutOneWay {
        from: Vec<NodeId>,
        to: Vec<NodeId>,
        mode: PartitionMode,
    },
    /// Undoes partitions.
    Heal(Scope),
    /// Undoes what holds messages back on the way from some nodes to others.
    Release { from: Vec<NodeId>, to: Vec<NodeId> },
    /// Sets how long messages are under way: between two nodes, or everywhere.
    SetLatency {
        between: Option<(NodeId, NodeId)>,
        latency: Latency,
    },
    /// Sets how long a partition lasts before it is noticed.
    SetTickTime(Micros),
    /// Stops a node.
    StopNode(NodeId),
    /// Ends a node; the others learn of it when they do. What it has just sent may be lost, unless it ends in good order.
    CrashNode { node: NodeId, orderly: bool },
    /// Starts a node that was stopped, or adds a new one; connected to the others, or not.
    StartNode { name: Symbol, connect: bool },
    /// Stops everything on a node, or lets it go on.
    PauseNode(NodeId, bool),
    /// Stops a process for so long.
    Pause(ProcessId, Micros),
    /// Sets something of a node.
    Configure(NodeId, Setting),
    /// Connects the caller's node, or the given one, to another at once, without any message.
    Join(NodeId, NodeId),
    /// Connects the caller's node to another; the outcome comes as a message unless it is known.
    Connect(NodeId, RefId),
    /// Closes the connection from one node to another.
    Disconnect(NodeId, NodeId),
    /// Watches a node; `lost` also reports a lost connection to it.
    MonitorNode { node: NodeId, lost: bool, on: bool },
    /// Watches all nodes.
    MonitorNodes { subscription: Subscription, on: bool },
}

/// The answer to an announced operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Done; there is nothing to tell.
    Done,
    /// Yes or no.
    Bool(bool),
    /// The term is to be sent to this process's real counterpart under this number.
    Sent(ProcessId, MessageId),
    /// What has arrived.
    Items(Vec<Item>),
    /// Nothing has arrived in time.
    TimedOut,
    /// The new process; on a node that cannot be reached, nothing.
    Spawned(Option<ProcessId>),
    /// The new process that was asked for; the term that tells of it is to be sent to the caller's real counterpart under
    /// this number.
    Requested(ProcessId, MessageId),
    /// A process, or none.
    Process(Option<ProcessId>),
    /// A timer's store number.
    Parked(MessageId),
    /// A timer that was stopped: how long it had still to go, and its store number.
    Timer(Option<(Micros, MessageId)>),
    /// A node.
    Node(NodeId),
    /// How often.
    Count(u32),
    /// The caller ends: it says so by [`Simulation::finish`](crate::Simulation::finish).
    Ended,
    /// The caller has been killed and must end now.
    Die(Death),
    /// The operation cannot be done.
    Refused(Refusal),
}

/// Why an operation cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process does not exist.
    Noproc,
    /// The name is taken, or the process has one already, or it is none of this node.
    BadName,
    /// The node is not up.
    NodeDown,
}

/// Somebody who is to be told that a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Who.
    pub to: ProcessId,
    /// Under which number the term goes to its real counterpart.
    pub id: MessageId,
    /// The monitor that fired; none for an exit signal through a link.
    pub monitor: Option<RefId>,
}

/// Who is to be told of the end of a process, in the order of delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Farewell {
    /// The heirs, in the order in which they were given: each gets a message.
    pub heirs: Vec<Notice>,
    /// Those who are linked to it or watch it: each is told why it has ended.
    pub ties: Vec<Notice>,
}

impl Op {
    /// What the operation of a process on node `home` acts upon, and whether it changes it. Unsure means
    /// [`Object::World`].
    pub fn access(&self, caller: ProcessId, home: NodeId) -> (Object, bool) {
        match self {
            Op::Start | Op::Yield | Op::Weigh { .. } | Op::Watch(_) | Op::ReadTimer(_) | Op::Alias(..) => {
                (Object::Local, false)
            }
            Op::Send(target) | Op::SendIfConnected(target) | Op::Monitor { target, .. } => (target.object(), true),
            Op::Receive(Wait::Forever | Wait::For(_) | Wait::Lazily(_) | Wait::Rest | Wait::Expired) => {
                (Object::Local, false)
            }
            Op::Receive(Wait::Poll)
            | Op::TrapExit(_)
            | Op::Demonitor(_)
            | Op::Unalias(_)
            | Op::Abandon(_)
            | Op::Exit(_) => (Object::Process(caller), true),
            Op::Link(process)
            | Op::Unlink(process)
            | Op::Signal(process, _)
            | Op::Lead(process)
            | Op::Suspend { process, .. }
            | Op::Resume(process) => (Object::Process(*process), true),
            Op::Look(process) => (process.map_or(Object::World, Object::Process), false),
            Op::Register(name, _) | Op::Unregister(name) => (Object::Name(home.0, name.0), true),
            Op::Whereis(name) => (Object::Name(home.0, name.0), false),
            Op::Access { object, write } => (*object, *write),
            Op::Spawn { .. } | Op::StartTimer { .. } | Op::CancelTimer(_) => (Object::Local, false),
            Op::Partition(..)
            | Op::CutOneWay { .. }
            | Op::Heal(_)
            | Op::Release { .. }
            | Op::SetLatency { .. }
            | Op::SetTickTime(_)
            | Op::StopNode(_)
            | Op::CrashNode { .. }
            | Op::StartNode { .. }
            | Op::PauseNode(..)
            | Op::Pause(..)
            | Op::Configure(..)
            | Op::Join(..)
            | Op::Connect(..)
            | Op::Disconnect(..)
            | Op::MonitorNode { .. }
            | Op::MonitorNodes { .. } => (Object::World, true),
        }
    }
}

impl Op {
    /// Whether what it acts upon stays the same while it waits for its turn. If the process comes to own something, that
    /// is said (`Simulation::set_owner`).
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Op::Start | Op::Yield | Op::Access { .. } | Op::Spawn { .. } | Op::StartTimer { .. } => true,
            Op::Link(_) | Op::Unlink(_) | Op::Demonitor(_) | Op::TrapExit(_) | Op::Look(_) => true,
            Op::Receive(Wait::Poll | Wait::Forever) | Op::Alias(..) | Op::Exit(_) => true,
            Op::Send(target) | Op::SendIfConnected(target) | Op::Monitor { target, .. } => {
                matches!(target, Target::Process(_))
            }
            _ => false,
        }
    }
}

impl Target {
    /// The process that is addressed by its pid.
    pub(crate) fn process(self) -> Option<ProcessId> {
        match self {
            Target::Process(process) => Some(process),
            Target::Name(..) | Target::Alias(_) => None,
        }
    }

    fn object(self) -> Object {
        match self {
            Target::Process(process) => Object::Process(process),
            Target::Name(node, name) => Object::Name(node.0, name.0),
            Target::Alias(_) => Object::World,
        }
    }
}
