//! How the surprisals of a region's tokens become one value: the six of syntaxgym-core.

use serde::{Deserialize, Deserializer, de::Error};

use crate::text::named;

/// A summary of a region's surprisals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegionMetric {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean.
    Mean,
    /// The middle one, or the mean of the two in the middle.
    Median,
    /// The largest less the smallest.
    Range,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

named!(RegionMetric: Sum "sum", Mean "mean", Median "median", Range "range", Max "max", Min "min");

impl RegionMetric {
    /// Of a region's tokens. Of none the sum is 0 and every other one is not a number, so that no
    /// comparison with it holds.
    pub fn of(self, values: &[f64]) -> f64 {
        if self == RegionMetric::Sum {
            return values.iter().fold(0.0, |sum, value| sum + value);
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return f64::NAN };
        match self {
            RegionMetric::Sum | RegionMetric::Mean => values.iter().sum::<f64>() / values.len() as f64,
            RegionMetric::Median => f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]),
            RegionMetric::Range => max - min,
            RegionMetric::Max => *max,
            RegionMetric::Min => *min,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for RegionMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RegionMetric, D::Error> {
        let known = "sum, mean, median, range, max or min";
        let written = Written::deserialize(deserializer)
            .map_err(|_| D::Error::custom(format!("metric must be one of {known}")))?;
        let name = match &written {
            Written::One(name) => name.as_str(),
            Written::Several(names) if names.len() == 1 => names[0].as_str(),
            Written::Several(_) => "several",
        };
        RegionMetric::named(name)
            .ok_or_else(|| D::Error::custom(format!("metric is {name}: predictions need one, of {known}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_of_syntaxgym() {
        let of = |values: &[f64]| RegionMetric::ALL.map(|metric| metric.of(values));
        // As numpy and Python compute them.
        assert_eq!(of(&[4.0, 1.0, 3.5, 7.0]), [15.5, 3.875, 3.75, 6.0, 7.0, 1.0]);
        assert_eq!(of(&[0.0, 2.5, 1.0]), [3.5, 3.5 / 3.0, 1.0, 2.5, 2.5, 0.0]);
        assert_eq!(of(&[2.0]), [2.0, 2.0, 2.0, 0.0, 2.0, 2.0]);
        let none = of(&[]);
        assert!(none[0] == 0.0 && none[1..].iter().all(|value| value.is_nan()), "{none:?}");
    }

    #[test]
    fn a_metric_is_one_of_them() {
        let read = |text: &str| serde_json::from_str::<RegionMetric>(text).map_err(|error| error.to_string());
        assert_eq!(read("\"median\""), Ok(RegionMetric::Median));
        assert_eq!(read("[\"max\"]"), Ok(RegionMetric::Max));
        for text in ["\"all\"", "[\"sum\",\"mean\"]", "3", "\"Sum\""] {
            assert!(read(text).unwrap_err().contains("sum, mean, median, range, max or min"), "{text}");
        }
    }
}
