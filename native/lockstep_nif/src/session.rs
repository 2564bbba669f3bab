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
    pub(crate) fn new(simulation: Simulation, warden: LocalPid) -> Self {
        Inner {
            simulation,
            warden,
            processes: Vec::new(),
            ids: BTreeMap::new(),
            reals: BTreeMap::new(),
            symbols: BTreeMap::new(),
            atoms: Vec::new(),
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
        let symbol = self.simulation.intern(&term.atom_to_string()?);
        self.symbols.insert(term.as_c_arg(), symbol);
        Ok(symbol)
    }

    /// The atom of a name; the core was given it as text, so it exists.
    pub(crate) fn atom(&mut self, symbol: Symbol, env: Env<'_>) -> Result<Atom, Fault> {
        while self.atoms.len() <= symbol.0 as usize {
            let next = Symbol(self.atoms.len() as u32);
            self.atoms.push(Atom::from_str(env, self.simulation.symbol(next))?);
        }
        Ok(self.atoms[symbol.0 as usize])
    }

    /// A node by its name; one that was never started is down.
    pub(crate) fn node(&mut self, name: Atom, env: Env<'_>) -> Result<NodeId, Fault> {
        let symbol = self.symbol(name, env)?;
        Ok(self.simulation.unknown_node(symbol)?)
    }

    pub(crate) fn node_atom(&mut self, node: NodeId, env: Env<'_>) -> Result<Atom, Fault> {
        self.atom(self.simulation.node_symbol(node), env)
    }
}
