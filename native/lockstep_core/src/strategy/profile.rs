use std::collections::{BTreeMap, BTreeSet};

use super::Lineage;

/// What strategies know of a program beforehand, from one undisturbed run: see [`Profiler`](super::Profiler).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// How many events the run had.
    pub steps: u64,
    /// How many of them could have come together with another.
    pub choices: u64,
    /// How many acted.
    pub actors: u64,
    /// How many events on contended objects each actor had, with all whom it has brought into being.
    pub weights: BTreeMap<Lineage, u64>,
    /// How many of them on one object: by the object, then the actor.
    pub shares: BTreeMap<(Lineage, Lineage), u64>,
    /// The objects on which events of different actors conflicted that could have come in another order.
    pub contended: BTreeSet<Lineage>,
}

/// The first bytes of a profile.
const MAGIC: [u8; 4] = *b"LSPF";
/// The version of the format. Lineages are part of it.
pub const PROFILE_VERSION: u16 = 1;

/// Why bytes are no profile that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileError {
    /// They are something else.
    Foreign,
    /// They were written by a version that has another format.
    Version(u16),
    /// They have been changed or cut off.
    Damaged,
}

impl std::fmt::Display for ProfileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProfileError::Foreign => write!(f, "this is not a profile"),
            ProfileError::Version(version) => write!(
                f,
                "the profile has format {version}, and this version of Lockstep reads {PROFILE_VERSION}"
            ),
            ProfileError::Damaged => write!(f, "the profile is damaged"),
        }
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// The profile as bytes: a header, numbers of 64 bits (little endian), and their hash.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sizes = [self.weights.len() as u64, self.shares.len() as u64];
        let counts = [self.steps, self.choices, self.actors].into_iter().chain(sizes);
        let weights = self.weights.iter().flat_map(|(lineage, &weight)| [lineage.0, weight]);
        let share = |(&(object, actor), &weight): (&(Lineage, Lineage), &u64)| [object.0, actor.0, weight];
        let shares = self.shares.iter().flat_map(share);
        let contended = self.contended.iter().map(|object| object.0);
        let numbers: Vec<u64> = counts.chain(weights).chain(shares).chain(contended).collect();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(PROFILE_VERSION.to_le_bytes());
        for &number in numbers.iter().chain([&hash(&numbers)]) {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// The profile that [`Profile::to_bytes`] has made these bytes from.
    pub fn from_bytes(bytes: &[u8]) -> Result<Profile, ProfileError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ProfileError::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(ProfileError::Damaged)?;
        let version = u16::from_le_bytes(*version);
        if version != PROFILE_VERSION {
            return Err(ProfileError::Version(version));
        }
        Profile::from_numbers(&numbers(rest)?).ok_or(ProfileError::Damaged)
    }

    fn from_numbers(numbers: &[u64]) -> Option<Profile> {
        let (&sum, numbers) = numbers.split_last()?;
        let ([steps, choices, actors, weights, shares], rest) = numbers.split_first_chunk()?;
        let (weights, rest) = rest.split_at_checked(usize::try_from(weights.checked_mul(2)?).ok()?)?;
        let (shares, contended) = rest.split_at_checked(usize::try_from(shares.checked_mul(3)?).ok()?)?;
        let weights = weights.chunks_exact(2).map(|pair| (Lineage(pair[0]), pair[1]));
        let shares = shares.chunks_exact(3);
        let shares = shares.map(|share| ((Lineage(share[0]), Lineage(share[1])), share[2]));
        (hash(numbers) == sum).then(|| Profile {
            steps: *steps,
            choices: *choices,
            actors: *actors,
            weights: weights.collect(),
            shares: shares.collect(),
            contended: contended.iter().copied().map(Lineage).collect(),
        })
    }
}

fn numbers(bytes: &[u8]) -> Result<Vec<u64>, ProfileError> {
    let chunks = bytes.chunks_exact(8);
    if chunks.remainder().is_empty() {
        let number = |chunk: &[u8]| chunk.try_into().map(u64::from_le_bytes);
        chunks
            .map(number)
            .collect::<Result<_, _>>()
            .map_err(|_| ProfileError::Damaged)
    } else {
        Err(ProfileError::Damaged)
    }
}

fn hash(numbers: &[u64]) -> u64 {
    numbers.iter().fold(Lineage(0), |hash, &number| hash.then(number)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            steps: 12,
            choices: 7,
            actors: 3,
            weights: [(Lineage(9), 4), (Lineage(u64::MAX), 0)].into(),
            shares: [((Lineage(5), Lineage(9)), 3)].into(),
            contended: [Lineage(5), Lineage(1 << 40)].into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for profile in [Profile::default(), profile()] {
            assert_eq!(Profile::from_bytes(&profile.to_bytes()), Ok(profile));
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let bytes = profile().to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x10;
            let expected = match place {
                0..4 => ProfileError::Foreign,
                4 => ProfileError::Version(PROFILE_VERSION ^ 0x10),
                5 => ProfileError::Version(PROFILE_VERSION ^ 0x1000),
                _ => ProfileError::Damaged,
            };
            assert_eq!(Profile::from_bytes(&changed), Err(expected), "byte {place}");
            let cut_off = if place < 4 {
                ProfileError::Foreign
            } else {
                ProfileError::Damaged
            };
            assert_eq!(Profile::from_bytes(&bytes[..place]), Err(cut_off), "{place} bytes");
        }
    }
}
