//! Maps that nobody goes through: to look up what has no dense number.

/// A map whose order is never asked for, and which is the same in every process: its hash has no random seed.
pub(crate) type Hashed<K, V> = rustc_hash::FxHashMap<K, V>;
