//! What is switched off in a model, or added to it, while it computes: plain data, and the one form in which
//! people write it.
//!
//! Interventions are part of what a figure is: every request to an engine says which are in force where, and
//! what was computed under some is never taken for what was computed under others.

mod edge;
mod in_force;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use crate::text::nearest;
pub use edge::{AttentionEdge, blind};
pub use in_force::{Holding, InForce, Since};

/// How parts are written, for errors and help.
pub const PARTS: &str =
    "head LAYER:HEAD, attention LAYER, ffn LAYER, layer LAYER or edge FROM:TO[:LAYER[:HEAD]], counted from 0";
/// How a steering vector is written.
pub const DOSE: &str = "FILE:SCALE or FILE:SCALE:LAYERS, such as joy.gguf:0.8:10-20";

/// A part of a model that can be switched off: what it adds to the residual stream becomes zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OffPart {
    /// One head of attention.
    Head {
        /// Its layer.
        layer: usize,
        /// Its number in the layer.
        head: usize,
    },
    /// Attention of a layer.
    Attention(usize),
    /// The feed-forward network of a layer.
    FeedForward(usize),
    /// A whole layer.
    Layer(usize),
    /// What one position sees of another.
    Edge(AttentionEdge),
}

impl OffPart {
    /// Its layer; an edge may be one of every layer.
    pub fn layer(self) -> Option<usize> {
        match self {
            OffPart::Head { layer, .. }
            | OffPart::Attention(layer)
            | OffPart::FeedForward(layer)
            | OffPart::Layer(layer) => Some(layer),
            OffPart::Edge(edge) => edge.layer,
        }
    }

    /// Whether a model of so many layers and heads has it; why not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn check(self, layers: usize, heads: usize) -> Result<(), String> {
        let head = match self {
            OffPart::Head { head, .. } => Some(head),
            OffPart::Edge(edge) => edge.head,
            _ => None,
        };
        if let OffPart::Edge(edge) = self {
            edge.check()?;
        }
        match () {
            () if self.layer().is_some_and(|layer| layer >= layers) => {
                Err(format!("{self}: the model has the layers 0 to {}", layers.saturating_sub(1)))
            }
            () if head.is_some_and(|head| head >= heads) => {
                Err(format!("{self}: the model has the heads 0 to {}", heads.saturating_sub(1)))
            }
            () => Ok(()),
        }
    }
}

impl fmt::Display for OffPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OffPart::Head { layer, head } => write!(f, "head {layer}:{head}"),
            OffPart::Attention(layer) => write!(f, "attention {layer}"),
            OffPart::FeedForward(layer) => write!(f, "ffn {layer}"),
            OffPart::Layer(layer) => write!(f, "layer {layer}"),
            OffPart::Edge(edge) => write!(f, "edge {edge}"),
        }
    }
}

impl FromStr for OffPart {
    type Err = String;

    fn from_str(text: &str) -> Result<OffPart, String> {
        const KINDS: [&str; 5] = ["head", "attention", "ffn", "layer", "edge"];
        let wrong = || format!("{}: write {PARTS}", text.escape_debug());
        let (kind, place) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        match kind {
            "head" => {
                let (layer, head) = place.split_once(':').ok_or_else(wrong)?;
                Ok(OffPart::Head { layer: number(layer)?, head: number(head)? })
            }
            "attention" => Ok(OffPart::Attention(number(place)?)),
            "ffn" => Ok(OffPart::FeedForward(number(place)?)),
            "layer" => Ok(OffPart::Layer(number(place)?)),
            "edge" => place.trim().parse().map(OffPart::Edge).map_err(|_| wrong()),
            kind => Err(match nearest(kind, KINDS) {
                Some(near) => format!("{}: did you mean {near}? Write {PARTS}", text.escape_debug()),
                None => wrong(),
            }),
        }
    }
}

/// What is added to the residual stream after each of some layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SteeringVector {
    /// By layer, from 1 on: as many values as the stream is wide.
    pub directions: BTreeMap<usize, Arc<[f32]>>,
    /// The architecture it was made with, where the file says.
    pub architecture: Option<String>,
}

impl SteeringVector {
    /// Whether it is of a model of this architecture and of so many layers; why not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn fits(&self, architecture: &str, layers: usize) -> Result<(), String> {
        if let Some(other) = self.architecture.as_ref().filter(|other| *other != architecture) {
            return Err(format!("it was made with a model of {other}, and this is one of {architecture}"));
        }
        match self.directions.keys().max() {
            Some(last) if *last >= layers => {
                let most = layers.saturating_sub(1);
                Err(format!("it is about layer {last}, and the model has the layers 0 to {most}"))
            }
            _ => Ok(()),
        }
    }
}

/// A dose of a steering vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Steering {
    /// The file, as it was named.
    pub file: String,
    /// What the vector is multiplied by.
    pub scale: f32,
    /// These layers alone.
    pub layers: Option<RangeInclusive<usize>>,
    /// What the file holds, once somebody has read it.
    pub vector: Option<Arc<SteeringVector>>,
}

/// Norm of what is added to a stream from which on its square leaves F32 and a norm makes nothing of it.
const LARGEST_NORM: f64 = 1e18;

impl Steering {
    /// Whether it can be added in a model of so many layers and so wide a stream; why not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn check(&self, architecture: &str, layers: usize, width: usize) -> Result<(), String> {
        let Some(vector) = &self.vector else { return Err(format!("{self}: nobody has read the file")) };
        vector.fits(architecture, layers).map_err(|why| format!("{self}: {why}"))?;
        if let Some((layer, direction)) = vector.directions.iter().find(|(_, values)| values.len() != width) {
            let has = direction.len();
            return Err(format!(
                "{self}: its direction for layer {layer} has {has} values and the model's stream {width}: it was made with another model"
            ));
        }
        let square = |values: &Arc<[f32]>| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        let norm = vector.directions.values().map(square).fold(0.0, f64::max).sqrt();
        if norm * f64::from(self.scale.abs()) > LARGEST_NORM {
            let most = LARGEST_NORM / norm;
            return Err(format!("{self}: the model can't add up so large a dose; the largest is {most:.1e}"));
        }
        match self.layers.as_ref().map(RangeInclusive::end) {
            Some(last) if *last >= layers => Err(format!(
                "{self}: it is about layer {last}, and the model has the layers 0 to {}",
                layers.saturating_sub(1)
            )),
            _ => Ok(()),
        }
    }

    /// What is added after a layer, scaled; `None` where nothing is.
    pub fn added(&self, layer: usize) -> Option<Vec<f32>> {
        let inside = self.layers.as_ref().is_none_or(|layers| layers.contains(&layer));
        let direction = self.vector.as_ref()?.directions.get(&layer).filter(|_| inside)?;
        Some(direction.iter().map(|value| value * self.scale).collect())
    }
}

impl fmt::Display for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.scale)?;
        match &self.layers {
            Some(layers) if layers.start() == layers.end() => write!(f, ":{}", layers.start()),
            Some(layers) => write!(f, ":{}-{}", layers.start(), layers.end()),
            None => Ok(()),
        }
    }
}

impl FromStr for Steering {
    type Err = String;

    fn from_str(text: &str) -> Result<Steering, String> {
        let wrong = |what: &str| format!("{}: {what}; write {DOSE}", text.escape_debug());
        let dose = |file: &str, scale: &str, layers| -> Result<Steering, String> {
            let scale: f32 = scale.trim().parse().map_err(|_| wrong("the scale is no number"))?;
            match () {
                () if !scale.is_finite() => Err(wrong("the scale is no finite number")),
                () if file.is_empty() => Err(wrong("there is no file")),
                () => Ok(Steering { file: file.to_string(), scale, layers, vector: None }),
            }
        };
        let (before, last) = text.rsplit_once(':').ok_or_else(|| wrong("there is no scale"))?;
        // A file's name may hold colons: what can be layers after what can be a scale is.
        match (before.rsplit_once(':'), layers(last)) {
            (Some((file, scale)), Some(layers)) if scale.trim().parse::<f32>().is_ok() => {
                if layers.is_empty() {
                    return Err(wrong("the first layer comes behind the last"));
                }
                if *layers.start() == 0 {
                    return Err(wrong("no vector has a direction for layer 0: they begin with layer 1"));
                }
                dose(file, scale, Some(layers))
            }
            _ => dose(before, last, None),
        }
    }
}

/// `10` or `10-20`.
fn layers(text: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

/// Something that changes what a model computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Intervention {
    /// A part is off.
    Off(OffPart),
    /// A vector is added.
    Steer(Steering),
}

/// What interventions must fit.
#[derive(Clone, Copy, Debug)]
pub struct ModelShape<'a> {
    /// As GGUF names it.
    pub architecture: &'a str,
    pub layers: usize,
    /// Heads of attention in a layer.
    pub heads: usize,
    /// Width of the residual stream.
    pub width: usize,
}

impl Intervention {
    /// Whether a model of this shape has it; why not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn check(&self, shape: ModelShape) -> Result<(), String> {
        match self {
            Intervention::Off(part) => part.check(shape.layers, shape.heads),
            Intervention::Steer(dose) => dose.check(shape.architecture, shape.layers, shape.width),
        }
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Intervention::Off(part) => part.fmt(f),
            Intervention::Steer(dose) => write!(f, "steer {dose}"),
        }
    }
}

impl FromStr for Intervention {
    type Err = String;

    fn from_str(text: &str) -> Result<Intervention, String> {
        match text.trim().strip_prefix("steer ") {
            Some(dose) => dose.trim().parse().map(Intervention::Steer),
            None => text.parse().map(Intervention::Off),
        }
    }
}

/// What is in force at the same time.
#[derive(Clone, Debug, Default)]
pub struct Interventions(Option<Arc<[Intervention]>>);

impl PartialEq for Interventions {
    /// Vectors are long, and most often the same.
    fn eq(&self, other: &Interventions) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

impl Interventions {
    /// Whether the model is as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether an edge of attention is among them, which is seen without flash attention only.
    pub fn has_edge(&self) -> bool {
        self.iter().any(|one| matches!(one, Intervention::Off(OffPart::Edge(_))))
    }

    /// The edges of attention, which hold at positions, and the others, which hold anywhere.
    pub fn apart(&self) -> (Vec<AttentionEdge>, Interventions) {
        let edge = |one: &Intervention| match one {
            Intervention::Off(OffPart::Edge(edge)) => Some(*edge),
            _ => None,
        };
        let others = self.iter().filter(|one| edge(one).is_none()).cloned();
        (self.iter().filter_map(edge).collect(), others.collect())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Intervention> {
        self.0.iter().flat_map(|all| all.iter())
    }

    /// All of them as one reads them, files by their names alone.
    pub fn told(&self) -> String {
        let name = |one: &Intervention| match one {
            Intervention::Steer(dose) => {
                let file = dose.file.rsplit('/').next().unwrap_or_default().to_string();
                format!("steer {}", Steering { file, ..dose.clone() })
            }
            part => part.to_string(),
        };
        told(&self.iter().map(name).collect::<Vec<_>>())
    }

    /// Each as it is written.
    pub fn names(&self) -> Vec<String> {
        self.iter().map(Intervention::to_string).collect()
    }
}

/// Interventions by their written forms, as one reads them: `off head 23:4, ffn 12, steer joy.gguf:0.8`.
pub fn told(names: &[String]) -> String {
    let (steered, off): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.starts_with("steer "));
    let joined = |names: &[&String]| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let off = Some(joined(&off)).filter(|off| !off.is_empty()).map(|off| format!("off {off}"));
    let steered = Some(joined(&steered)).filter(|steered| !steered.is_empty());
    off.into_iter().chain(steered).collect::<Vec<_>>().join(", ")
}

impl FromIterator<Intervention> for Interventions {
    fn from_iter<I: IntoIterator<Item = Intervention>>(all: I) -> Interventions {
        let all: Arc<[Intervention]> = all.into_iter().collect();
        Interventions(Some(all).filter(|all| !all.is_empty()))
    }
}

impl fmt::Display for Interventions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

#[cfg(test)]
mod tests;
