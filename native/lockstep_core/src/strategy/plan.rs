use super::{Deed, Fifo, Guided, Lineage, Outside, Pct, Pos, Profile, Profiler, Random, Replay, Strategy, Surw};

/// The strategies by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// [`Fifo`].
    Fifo,
    /// [`Profiler`].
    Profile,
    /// [`Random`].
    Random,
    /// [`Pos`].
    Pos,
    /// [`Surw`].
    Surw,
    /// [`Pct`], of a depth.
    Pct(u32),
    /// [`Outside`].
    Outside,
    /// [`Replay`], of a choice log.
    Replay(Vec<u64>),
    /// [`Replay`], of a choice log that need not fit.
    Follow(Vec<u64>),
    /// [`Guided`], along a choice log.
    Along(Vec<u64>),
    /// [`Guided`], by deeds.
    Guided(Vec<Deed>),
}

/// How many seeds of a hundred each strategy of the portfolio gets. None of them is best at everything: POS finds what
/// takes several independent races, PCT what takes a long delay, SURW both if the profile fits, and the random walk makes
/// no assumptions.
const PORTFOLIO: [(u32, Plan); 5] = [
    (40, Plan::Surw),
    (25, Plan::Pos),
    (15, Plan::Pct(2)),
    (10, Plan::Pct(3)),
    (10, Plan::Random),
];

impl Plan {
    /// The strategy of the portfolio that a seed has. It takes nothing from the seed's streams.
    pub fn of_portfolio(seed: u64) -> Plan {
        let total: u32 = PORTFOLIO.iter().map(|(share, _)| share).sum();
        let mut drawn = (Lineage(seed).named("portfolio").0 % u64::from(total)) as u32;
        for (share, plan) in PORTFOLIO {
            if drawn < share {
                return plan;
            }
            drawn -= share;
        }
        unreachable!("what is drawn is below the sum of the shares")
    }

    /// The strategy for one seed.
    pub fn strategy(self, seed: u64, profile: Option<&Profile>) -> Box<dyn Strategy> {
        match self {
            Plan::Fifo => Box::new(Fifo),
            Plan::Profile => Box::new(Profiler::default()),
            Plan::Random => Box::new(Random::new(seed)),
            Plan::Pos => Box::new(Pos::search(seed, profile)),
            Plan::Surw => Box::new(Surw::search(seed, profile)),
            Plan::Pct(depth) => Box::new(Pct::search(seed, depth, profile)),
            Plan::Outside => Box::new(Outside::new(seed)),
            Plan::Replay(choices) => Box::new(Replay::new(choices)),
            Plan::Follow(choices) => Box::new(Replay::lenient(choices)),
            Plan::Along(choices) => Box::new(Guided::along(choices)),
            Plan::Guided(deeds) => Box::new(Guided::by(deeds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_its_share_of_the_seeds() {
        for (share, plan) in PORTFOLIO {
            let seeds = (0..100_000).filter(|&seed| Plan::of_portfolio(seed) == plan).count() as u32;
            assert!(seeds.abs_diff(share * 1000) < 600, "{plan:?}: {seeds}");
        }
        assert!((1..=10).any(|seed| Plan::of_portfolio(seed) == Plan::Surw));
    }
}
