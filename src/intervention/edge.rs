//! A single edge of attention.

use std::fmt;
use std::str::FromStr;

/// What one position sees of another: `FROM:TO[:LAYER[:HEAD]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttentionEdge {
    /// The position that is looked at.
    pub from: usize,
    /// The position that looks.
    pub to: usize,
    /// The layer; `None` is every one.
    pub layer: Option<usize>,
    /// The head; `None` is every one.
    pub head: Option<usize>,
}

impl AttentionEdge {
    /// Whether there can be such an edge; why not, in words.
    ///
    /// # Errors
    /// One line.
    pub fn check(self) -> Result<(), String> {
        let AttentionEdge { from, to, .. } = self;
        match () {
            () if from > to => {
                Err(format!("edge {from}:{to}: position {to} can't look at {from}, which comes behind it"))
            }
            () if to == 0 => {
                Err("edge 0:0: position 0 looks at itself alone, and without that at nothing".to_string())
            }
            () => Ok(()),
        }
    }
}

/// The first position that would see nothing in some layer and head if these were off.
pub fn blind(edges: &[AttentionEdge]) -> Option<usize> {
    let places = |of: fn(&AttentionEdge) -> Option<usize>| -> Vec<Option<usize>> {
        edges.iter().map(of).chain([None]).collect()
    };
    let (layers, heads) = (places(|edge| edge.layer), places(|edge| edge.head));
    let holds = |has: Option<usize>, at: Option<usize>| has.is_none() || has == at;
    let is_blind = |to: usize, layer: Option<usize>, head: Option<usize>| {
        let off = |from: usize| {
            edges.iter().any(|edge| {
                (edge.from, edge.to) == (from, to) && holds(edge.layer, layer) && holds(edge.head, head)
            })
        };
        (0..=to).all(off)
    };
    let blind = |to: &usize| layers.iter().any(|layer| heads.iter().any(|head| is_blind(*to, *layer, *head)));
    edges.iter().map(|edge| edge.to).filter(blind).min()
}

impl fmt::Display for AttentionEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.to)?;
        self.layer.map_or(Ok(()), |layer| write!(f, ":{layer}"))?;
        self.head.map_or(Ok(()), |head| write!(f, ":{head}"))
    }
}

impl FromStr for AttentionEdge {
    type Err = String;

    fn from_str(text: &str) -> Result<AttentionEdge, String> {
        let wrong = || "FROM:TO[:LAYER[:HEAD]] is wanted, numbers counted from 0".to_string();
        let numbers: Result<Vec<usize>, _> = text.split(':').map(str::parse).collect();
        let numbers = numbers.map_err(|_| wrong())?;
        let (&[from, to, ref rest @ ..], 2..=4) = (&numbers[..], numbers.len()) else { return Err(wrong()) };
        Ok(AttentionEdge { from, to, layer: rest.first().copied(), head: rest.get(1).copied() })
    }
}

#[cfg(test)]
mod tests {
    use super::{AttentionEdge, blind};

    #[test]
    fn a_position_that_sees_nothing_is_found_whichever_layers_and_heads_are_named() {
        let of = |edges: &[&str]| {
            blind(&edges.iter().map(|edge| edge.parse::<AttentionEdge>().unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["0:1", "0:2", "1:2"]), None);
        assert_eq!(of(&["0:1", "1:1"]), Some(1));
        assert_eq!(of(&["0:2:3", "1:2", "2:2:3:4", "0:1"]), Some(2));
        assert_eq!(of(&["0:1:3", "1:1:4"]), None);
        assert_eq!(of(&["0:1:3:1", "1:1:3:2"]), None);
        assert_eq!(of(&["0:1:3", "1:1:3:2"]), Some(1));
    }

    #[test]
    fn an_edge_is_two_positions_a_layer_and_a_head() {
        let edge = |from, to, layer, head| Ok(AttentionEdge { from, to, layer, head });
        assert_eq!("3:4".parse(), edge(3, 4, None, None));
        assert_eq!("3:4:23:1".parse(), edge(3, 4, Some(23), Some(1)));
        for written in ["3:4", "3:4:5", "0:4:5:6"] {
            assert_eq!(written.parse::<AttentionEdge>().unwrap().to_string(), written);
        }
        for wrong in ["", "3", "3:", "a:4", "3:4:5:6:7", "-1:4", "3:4:"] {
            assert!(wrong.parse::<AttentionEdge>().is_err(), "{wrong}");
        }
        for (wrong, said) in [("3:1", "behind"), ("0:0", "itself")] {
            let error = wrong.parse::<AttentionEdge>().unwrap().check().unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
