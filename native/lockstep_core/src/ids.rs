//! Dense identifiers, handed out in creation order: the same run always gives the same numbers.

use serde::Serialize;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(pub $inner);
    };
}

id!(
    /// A process, numbered over the whole run; the main process is 0.
    ProcessId(u32)
);
id!(
    /// A node; the control node, on which the main process runs, is 0.
    NodeId(u16)
);
id!(
    /// A reference: of a monitor, an alias or a timer. The BEAM side chooses the numbers.
    RefId(u64)
);
id!(
    /// A message or signal. Its term stays on the BEAM; the core knows only this number.
    MessageId(u64)
);
id!(
    /// An interned name.
    Symbol(u32)
);

/// The control node.
pub const CONTROL: NodeId = NodeId(0);
/// The process that runs the function under test.
pub const MAIN: ProcessId = ProcessId(0);
