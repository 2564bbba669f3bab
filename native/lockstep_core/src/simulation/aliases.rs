//! Aliases: references that messages can be sent to.
//!
//! What ends one is said by its kind: taking it back, taking its monitor back, or a message that has come through. In
//! the last case that message and the news of the end that is watched rule each other out.

use super::Simulation;
use crate::causality::Thing;
use crate::ids::{ProcessId, RefId};
use crate::op::{AliasMode, Grant, Item};
use crate::trace::Kind;

/// An alias that has not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias {
    pub(super) owner: ProcessId,
    mode: AliasMode,
    /// The one message that it lets through has arrived, and its owner has not looked yet.
    pub(super) used: bool,
    /// The end of the watched process, which came after that message and counts only if the message does not.
    pub(super) missed: Option<Item>,
}

impl Alias {
    pub(super) fn new(owner: ProcessId, mode: AliasMode) -> Self {
        Alias {
            owner,
            mode,
            used: false,
            missed: None,
        }
    }

    pub(super) fn ends_with_monitor(self) -> bool {
        matches!(self.mode, AliasMode::Demonitor | AliasMode::ReplyDemonitor)
    }
}

impl Simulation {
    pub(super) fn alias(&mut self, me: ProcessId, reference: RefId, mode: AliasMode) -> Grant {
        self.aliases.insert(reference, Alias::new(me, mode));
        self.told(me, Kind::Alias, reference.0, 0, Grant::Done)
    }

    pub(super) fn through_alias(&mut self, reference: RefId) -> Option<ProcessId> {
        let alias = self.aliases.get_mut(&reference).filter(|alias| !alias.used)?;
        alias.used = matches!(alias.mode, AliasMode::Reply | AliasMode::ReplyDemonitor);
        Some(alias.owner)
    }

    pub(super) fn unalias(&mut self, me: ProcessId, reference: RefId) -> Grant {
        self.touch(Thing::Watch(reference), true);
        let mine = self.aliases.get(&reference).is_some_and(|alias| alias.owner == me);
        if mine {
            let missed = self.aliases.remove(&reference).and_then(|alias| alias.missed);
            let left = self.expect(me).drop_aliased(reference);
            self.causality.left(me, &left);
            if let Some(item) = missed {
                self.unwatch(me, reference);
                self.drop_in(me, item);
            }
        }
        self.told(me, Kind::Unalias, reference.0, u64::from(mine), Grant::Bool(mine))
    }

    /// Ends the alias of a monitor that is taken back, with what has come through it and not been looked at.
    pub(super) fn end_alias(&mut self, me: ProcessId, reference: RefId) {
        let ends = |alias: &Alias| alias.owner == me && alias.ends_with_monitor();
        if self.aliases.get(&reference).is_some_and(ends) {
            self.aliases.remove(&reference);
            let left = self.expect(me).drop_aliased(reference);
            self.causality.left(me, &left);
        }
    }
}
