//! The unit of information in tables and CSV. JSON is in nats, always.

use clap::ValueEnum;

/// A unit of information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Natural logarithm.
    Nats,
    /// Logarithm to base 2.
    #[default]
    Bits,
}

impl Unit {
    /// A value in nats, in this unit.
    pub fn of(self, nats: f64) -> f64 {
        match self {
            Unit::Nats => nats,
            Unit::Bits => nats / std::f64::consts::LN_2,
        }
    }

    /// For the head of a column on a screen.
    pub fn short(self) -> &'static str {
        match self {
            Unit::Nats => "nat",
            Unit::Bits => "bit",
        }
    }

    /// For the name of a column in a file.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Nats => "nats",
            Unit::Bits => "bits",
        }
    }
}
