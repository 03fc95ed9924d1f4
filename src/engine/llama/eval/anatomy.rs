//! Which tensor of a graph is which part of which layer, read from the graph itself.
//!
//! Shared code of llama.cpp names the scores and weights of attention, what the heads give and the residual
//! stream; what attention and feed-forward network add to the stream has other names in every architecture,
//! and is found as what the two sums of a layer add, one after the other or both to the layer's input. Where a graph has it otherwise, the part is missing and
//! nothing is guessed. Pure.

use std::collections::{BTreeMap, HashMap};

/// How a tensor is computed, as far as it tells parts apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// A sum.
    Add,
    /// Some rows of another.
    TakeRows,
    /// A product with a matrix.
    Matrix,
    /// A norm by the root of the mean square.
    RmsNorm,
    /// A product element by element, or with one number.
    Scale,
    /// Anything else.
    #[default]
    Other,
}

/// One computed tensor of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorNode {
    pub name: String,
    /// How it is computed.
    pub operation: Operation,
    /// Elements along each dimension.
    pub sizes: [usize; 4],
    /// Tells it from the others.
    pub key: usize,
    /// The keys of what it is computed from, weights among them.
    pub sources: Vec<usize>,
}

/// A tensor, found again in every evaluation of the same graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// How many are computed before it.
    pub ordinal: u32,
    /// Its name, to be sure.
    pub name: String,
    /// Elements of a row.
    pub width: usize,
}

/// What a layer has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// The residual stream after it.
    pub residual: Option<Place>,
    /// The stream before it.
    pub input: Option<Place>,
    /// What attention adds to the stream.
    pub attention: Option<Place>,
    /// The heads mixed, which differs from what attention adds by a norm and factors at most.
    pub mixed: Option<Place>,
    /// What the feed-forward network adds to it.
    pub feed_forward: Option<Place>,
    /// What the heads give, side by side, before they are mixed.
    pub heads: Option<Place>,
    /// The scores of attention, before the mask and the softmax.
    pub scores: Option<Place>,
    /// The weights of attention.
    pub weights: Option<Place>,
    /// Of the last layer: the norm before the head, where logits are what the head makes of it and no more.
    pub out_norm: Option<Place>,
    /// Number of heads.
    pub n_heads: usize,
    /// Everything of the layer that has a row for each token, by llama.cpp's names.
    pub named: BTreeMap<String, Place>,
}

impl Layer {
    /// Which columns of [`Layer::heads`] are one head's; `None` where there is no such head.
    pub fn columns_of(&self, head: usize) -> Option<std::ops::Range<usize>> {
        let width = self.heads.as_ref()?.width.checked_div(self.n_heads)?;
        let fits = head < self.n_heads && width * self.n_heads == self.heads.as_ref()?.width;
        fits.then(|| head * width..(head + 1) * width)
    }
}

/// The layers of a graph, from the tensors that it computes in their order.
pub fn layers(nodes: &[TensorNode], count: usize) -> Vec<Layer> {
    let graph = Graph {
        nodes,
        by_key: nodes.iter().enumerate().map(|(i, node)| (node.key, i)).collect(),
        by_name: nodes.iter().enumerate().map(|(i, node)| (node.name.as_str(), i)).collect(),
    };
    (0..count).map(|layer| graph.layer(layer)).collect()
}

/// The terms of a layer's two sums.
#[derive(Clone, Copy)]
struct Added {
    input: usize,
    attention: usize,
    feed_forward: usize,
}

struct Graph<'a> {
    nodes: &'a [TensorNode],
    by_key: HashMap<usize, usize>,
    /// Of several with one name, the last.
    by_name: HashMap<&'a str, usize>,
}

impl Graph<'_> {
    fn layer(&self, layer: usize) -> Layer {
        let named = |name: &str| self.by_name.get(format!("{name}-{layer}").as_str()).copied();
        let (residual, heads, weights) = (named("l_out"), named("kqv_out"), named("kq_soft_max"));
        // Flash attention has no weights, and gives heads × tokens from one operation.
        let fused = heads.and_then(|heads| Some(self.nodes[self.sources(heads).next()?].sizes[1]));
        let scores = weights.and_then(|weights| self.sources(weights).next());
        let below =
            layer.checked_sub(1).map(|below| self.by_name.get(format!("l_out-{below}").as_str()).copied());
        let added = residual.zip(heads).and_then(|(out, heads)| {
            self.added(out, heads, below).or_else(|| self.added_at_once(out, heads, below))
        });
        let place = |node: usize| Place {
            ordinal: node as u32,
            name: self.nodes[node].name.clone(),
            width: self.nodes[node].sizes[0],
        };
        Layer {
            residual: residual.map(place),
            input: added.map(|added| place(added.input)),
            attention: added.map(|added| place(added.attention)),
            mixed: added.zip(heads).and_then(|(added, heads)| self.mixed(added.attention, heads)).map(place),
            feed_forward: added.map(|added| place(added.feed_forward)),
            heads: heads.map(place),
            scores: scores.map(place),
            weights: weights.map(place),
            out_norm: residual.and_then(|residual| self.out_norm(residual)).map(place),
            n_heads: weights.map(|weights| self.nodes[weights].sizes[2]).or(fused).unwrap_or(0),
            named: self.named(layer).map(|(name, node)| (name.to_string(), place(node))).collect(),
        }
    }

    /// The tensors of a layer that have one row for the one token of the survey.
    fn named(&self, layer: usize) -> impl Iterator<Item = (&str, usize)> {
        self.by_name.iter().filter_map(move |(name, &node)| {
            let (name, of) = name.rsplit_once('-')?;
            let single = self.nodes[node].sizes[1..] == [1, 1, 1];
            (single && of.parse() == Ok(layer)).then_some((name, node))
        })
    }

    /// The computed tensors that a tensor is computed from.
    fn sources(&self, node: usize) -> impl Iterator<Item = usize> {
        self.nodes[node].sources.iter().filter_map(|key| self.by_key.get(key).copied())
    }

    /// What attention and feed-forward network add, where a layer is
    /// `out = (input + attention) + feed_forward` and the network reads the sum in the brackets.
    fn added(&self, out: usize, heads: usize, below: Option<Option<usize>>) -> Option<Added> {
        let (middle, feed_forward) = self
            .terms(out)?
            .into_iter()
            .find(|&(middle, other)| self.is(middle, Operation::Add) && self.descends(other, middle))?;
        let (attention, input) = self
            .terms(middle)?
            .into_iter()
            .find(|&(attention, input)| self.descends(attention, heads) && !self.descends(input, heads))?;
        self.is_input(input, below).then_some(Added { input, attention, feed_forward })
    }

    /// The same where a layer is the sum of three and the network reads the input, too: one term is computed from the
    /// heads, one is the input, and the third is computed from the input and not from the heads.
    fn added_at_once(&self, out: usize, heads: usize, below: Option<Option<usize>>) -> Option<Added> {
        self.terms(out)?.into_iter().find_map(|(middle, last)| {
            let [(first, second), _] = self.terms(middle)?;
            let (of_heads, others): (Vec<usize>, Vec<usize>) =
                [first, second, last].into_iter().partition(|&term| self.descends(term, heads));
            let (&[attention], &[a, b]) = (&of_heads[..], &others[..]) else { return None };
            let (input, feed_forward) = [(a, b), (b, a)].into_iter().find(|&(input, other)| {
                let whole =
                    if self.is(input, Operation::TakeRows) { self.sources(input).next() } else { None };
                self.is_input(input, below) && self.descends(other, whole.unwrap_or(input))
            })?;
            Some(Added { input, attention, feed_forward })
        })
    }

    /// Whether it is what the layer below left, or all of it that the last layer needs.
    fn is_input(&self, node: usize, below: Option<Option<usize>>) -> bool {
        match below {
            // Before the first layer there are only embeddings.
            None => true,
            Some(below) => below.is_some_and(|below| self.is_or_takes_rows_of(node, below)),
        }
    }

    /// The product that mixes the heads, where only norms and factors lie between it and what attention adds.
    fn mixed(&self, attention: usize, heads: usize) -> Option<usize> {
        let mut node = attention;
        loop {
            let source = self.only_source(node)?;
            match self.nodes[node].operation {
                Operation::Matrix if source == heads => return Some(node),
                Operation::RmsNorm | Operation::Scale | Operation::TakeRows => node = source,
                _ => return None,
            }
        }
    }

    /// The norm of a residual stream whose product with weights is all that logits are.
    fn out_norm(&self, residual: usize) -> Option<usize> {
        let logits = *self.by_name.get("result_output")?;
        let weighted = self.only_source(logits).filter(|_| self.is(logits, Operation::Matrix))?;
        let norm = if self.is(weighted, Operation::Scale) { self.only_source(weighted)? } else { weighted };
        let fits = self.is(norm, Operation::RmsNorm) && self.only_source(norm) == Some(residual);
        fits.then_some(norm)
    }

    fn is(&self, node: usize, operation: Operation) -> bool {
        self.nodes[node].operation == operation
    }

    /// The computed tensor that a tensor is computed from, if it is one alone.
    fn only_source(&self, node: usize) -> Option<usize> {
        let mut sources = self.sources(node);
        sources.next().filter(|_| sources.next().is_none())
    }

    /// The two terms of a sum, either one first.
    fn terms(&self, sum: usize) -> Option<[(usize, usize); 2]> {
        let terms: Vec<usize> = self.sources(sum).collect();
        match (self.is(sum, Operation::Add), terms.as_slice()) {
            (true, &[a, b]) => Some([(a, b), (b, a)]),
            _ => None,
        }
    }

    /// Whether `node` is computed from `from`, at any distance.
    fn descends(&self, node: usize, from: usize) -> bool {
        let mut open = vec![node];
        let mut known = std::collections::HashSet::new();
        while let Some(node) = open.pop() {
            if node == from {
                return true;
            }
            // What is computed earlier is not computed from it.
            open.extend(self.sources(node).filter(|&source| source >= from && known.insert(source)));
        }
        false
    }

    fn is_or_takes_rows_of(&self, node: usize, of: usize) -> bool {
        node == of || self.is(node, Operation::TakeRows) && self.sources(node).next() == Some(of)
    }
}

#[cfg(test)]
mod tests;
