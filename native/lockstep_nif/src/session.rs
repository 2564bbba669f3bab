//! One simulation, as a resource, with what ties its numbers to the VM's pids and atoms.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use lockstep_core::{NodeId, ProcessId, Simulation, Symbol};
use rustler::{Atom, Encoder, Env, LocalPid, Resource, Term};

use crate::fault::Fault;

#[derive(Debug)]
pub(crate) struct Session {
    inner: Mutex<Option<Inner>>,
    /// Readable at any moment, also while another process is at its step.
    steps: AtomicU64,
}

#[rustler::resource_impl(name = "lockstep_session")]
impl Resource for Session {}

pub(crate) struct Inner {
    pub(crate) simulation: Simulation,
    pub(crate) warden: LocalPid,
    pub(crate) processes: Vec<Pids>,
    /// Pids and atoms are immediate terms: equal terms are equal words. The keys live for this VM only and never
    /// leave this map.
    ids: BTreeMap<usize, ProcessId>,
    /// The same for the real pids of processes that are not yet gone.
    reals: BTreeMap<usize, ProcessId>,
    symbols: BTreeMap<usize, Symbol>,
    atoms: Vec<Atom>,
}

/// The two pids of a process: what the program sees, and what the VM runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pids {
    pub(crate) shown: Option<LocalPid>,
    pub(crate) real: Option<LocalPid>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("simulation", &self.simulation)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(inner: Inner) -> Self {
        Session {
            inner: Mutex::new(Some(inner)),
            steps: AtomicU64::new(0),
        }
    }

    /// Works on the session without ever waiting for it: in a run only one process is at its step, so a session that
    /// is locked is being misused.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Inner) -> Result<R, Fault>) -> Result<R, Fault> {
        let mut guard = self.lock()?;
        let inner = guard.as_mut().ok_or(Fault::Closed)?;
        let result = work(inner);
        self.steps.store(inner.simulation.steps(), Ordering::Relaxed);
        result
    }

    pub(crate) fn close(&self) -> Result<(), Fault> {
        self.lock()?.take().map(drop).ok_or(Fault::Closed)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Option<Inner>>, Fault> {
        self.inner.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Fault::Busy,
            TryLockError::Poisoned(_) => Fault::Poisoned,
        })
    }

    pub(crate) fn progress(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// `control` is the name of the control node, the first that the core has been given.
    pub(crate) fn new(simulation: Simulation, warden: LocalPid, control: Atom) -> Self {
        Inner {
            simulation,
            warden,
            processes: Vec::new(),
            ids: BTreeMap::new(),
            reals: BTreeMap::new(),
            symbols: BTreeMap::new(),
            atoms: vec![control],
        }
    }

    pub(crate) fn born(&mut self, id: ProcessId, shown: Term<'_>, real: Term<'_>) -> Result<(), Fault> {
        let index = id.0 as usize;
        self.simulation.check_process(id)?;
        if self.pids(id).real.is_some() {
            return Err(Fault::BadArgument);
        }
        if self.processes.len() <= index {
            self.processes.resize(index + 1, Pids::default());
        }
        self.processes[index] = Pids {
            shown: Some(shown.decode()?),
            real: Some(real.decode()?),
        };
        self.ids.insert(shown.as_c_arg(), id);
        self.reals.insert(real.as_c_arg(), id);
        Ok(())
    }

    /// The number of a pid that the program has.
    pub(crate) fn id(&self, pid: Term<'_>) -> Option<ProcessId> {
        self.ids.get(&pid.as_c_arg()).copied()
    }

    /// Forgets the real pid of a process that is gone; its number.
    pub(crate) fn bury(&mut self, real: Term<'_>) -> Option<ProcessId> {
        let id = self.reals.remove(&real.as_c_arg())?;
        self.processes[id.0 as usize].real = None;
        Some(id)
    }

    pub(crate) fn pids(&self, id: ProcessId) -> Pids {
        self.processes.get(id.0 as usize).copied().unwrap_or_default()
    }

    pub(crate) fn symbol(&mut self, name: Atom, env: Env<'_>) -> Result<Symbol, Fault> {
        let term = name.encode(env);
        if let Some(&symbol) = self.symbols.get(&term.as_c_arg()) {
            return Ok(symbol);
        }
        let symbol = self.simulation.intern(&atom_text(term)?);
        self.symbols.insert(term.as_c_arg(), symbol);
        // Numbers are given in order, so a new one is the next; the control node's name has been there from the start.
        if self.atoms.len() == symbol.0 as usize {
            self.atoms.push(name);
        }
        Ok(symbol)
    }

    /// The atom of a name that the core knows.
    pub(crate) fn atom(&self, symbol: Symbol) -> Result<Atom, Fault> {
        self.atoms.get(symbol.0 as usize).copied().ok_or(Fault::BadArgument)
    }

    /// A node that the run has met, by its name; a question must not make the run meet another.
    pub(crate) fn known_node(&self, name: Atom, env: Env<'_>) -> Option<NodeId> {
        let symbol = self.symbols.get(&name.encode(env).as_c_arg());
        let control = (name == self.atoms[0]).then_some(Symbol(0));
        symbol
            .copied()
            .or(control)
            .and_then(|symbol| self.simulation.node_id(symbol))
    }

    /// A node by its name; one that was never started is down.
    pub(crate) fn node(&mut self, name: Atom, env: Env<'_>) -> Result<NodeId, Fault> {
        let symbol = self.symbol(name, env)?;
        Ok(self.simulation.unknown_node(symbol)?)
    }

    pub(crate) fn node_atom(&self, node: NodeId) -> Result<Atom, Fault> {
        self.atom(self.simulation.node_symbol(node))
    }
}

/// The text of an atom, whatever its characters: the VM's own call for it knows Latin-1 only before OTP 26, so it is
/// read from the atom's external format (Erlang External Term Format, `SMALL_ATOM_UTF8_EXT` and its kin).
pub(crate) fn atom_text(atom: Term<'_>) -> Result<String, Fault> {
    let format = atom.to_binary();
    let (latin1, name) = match format.as_slice() {
        [131, 119, _, name @ ..] | [131, 118, _, _, name @ ..] => (false, name),
        [131, 115, _, name @ ..] | [131, 100, _, _, name @ ..] => (true, name),
        _ => return Err(Fault::BadArgument),
    };
    if latin1 {
        return Ok(name.iter().copied().map(char::from).collect());
    }
    String::from_utf8(name.to_vec()).map_err(|_| Fault::BadArgument)
}
