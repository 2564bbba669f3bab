//! Maps that nobody goes through: to look up what has no dense number.

use std::hash::{BuildHasherDefault, Hasher};

/// A map whose order is never asked for, and which is the same in every process: its hash has no random seed.
#[expect(
    clippy::disallowed_types,
    reason = "the hash is fixed, and no decision depends on the order"
)]
pub(crate) type Hashed<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Mixes numbers, as fast as can be: nobody chooses the keys to make them collide.
#[derive(Debug, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}
