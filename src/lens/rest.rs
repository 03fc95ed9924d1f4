//! What the model says of the target after what is left of a prompt: through the scorer that shares what sequences
//! share, or, where an edge of attention is off, one by one without flash attention.

use super::inspect::inspect;
use super::subject::{Goal, Subject};
use crate::distribution::Depth;
use crate::engine::FinishReason;
use crate::engine::look::{Found, LookFor, Reading, Variant, Variants};
use crate::intervention::{AttentionEdge, Intervention, Interventions, OffPart, blind};
use crate::query::scoring::{Scoring, ScoringJob, Wanted, score};
use crate::query::{Asker, QueryError};
use crate::step::{Candidate, Step, TokenStats};
use crate::token::TokenId;

/// A prompt of which something is left out or replaced.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PromptRest {
    /// Its ids.
    pub ids: Vec<TokenId>,
    /// The position of the whole prompt at which each of them stood, rising.
    pub stood: Vec<usize>,
}

impl PromptRest {
    /// What is left of a prompt where these positions are.
    pub fn of(ids: &[TokenId], stood: impl Iterator<Item = usize>) -> PromptRest {
        let stood: Vec<usize> = stood.collect();
        PromptRest { ids: stood.iter().map(|&at| ids[at]).collect(), stood }
    }
}

/// What came of sequences.
#[derive(Default)]
pub(super) struct ScoredJobs {
    /// The figures of each; `None` where the run was stopped before its end.
    pub jobs: Vec<Option<Vec<Step>>>,
    /// Whether all are there.
    pub done: bool,
}

/// The target and what it is compared with, after a prompt of these ids.
pub(super) fn jobs(subject: &Subject, prompt: &[TokenId]) -> Vec<ScoringJob> {
    let job = |ids: &Vec<TokenId>| ScoringJob {
        ids: prompt.iter().chain(ids).copied().collect(),
        has_bos: false,
        from: prompt.len(),
    };
    subject.named().map(|named| job(&named.ids)).collect()
}

/// Σ ln p; not a number where a token has no context.
pub(super) fn total(steps: &[Step]) -> f64 {
    steps.iter().map(|step| step.logprob().map_or(f64::NAN, f64::from)).sum()
}

/// The figures of the target and what it is compared with after each prompt. The entropy and the candidates are the
/// first token's.
pub(super) fn after(
    asker: &mut Asker,
    subject: &Subject,
    prompts: &[PromptRest],
) -> Result<ScoredJobs, QueryError> {
    if asker.client.in_force().has_edge() {
        return without_edges(asker, subject, prompts);
    }
    let jobs: Vec<ScoringJob> = prompts.iter().flat_map(|prompt| jobs(subject, &prompt.ids)).collect();
    scored(asker, &jobs)
}

/// The figures of each sequence.
pub(super) fn scored(asker: &mut Asker, jobs: &[ScoringJob]) -> Result<ScoredJobs, QueryError> {
    let (windowing, depth) = (asker.windowing(), Depth::Count(1));
    let wanted = Wanted { windowing, depth, boundaries: false, after: false, fast: false };
    let mut found: Vec<Vec<Step>> = vec![Vec::new(); jobs.len()];
    let mut whole = vec![false; jobs.len()];
    let ended = score(asker.client, jobs, wanted, &asker.cancel, &mut |event| match event {
        Scoring::Token { job, step, .. } => found[job].push(step),
        Scoring::End { job, .. } => whole[job] = true,
    })?;
    let jobs = found.into_iter().zip(whole).map(|(steps, whole)| whole.then_some(steps));
    Ok(ScoredJobs { jobs: jobs.collect(), done: ended == FinishReason::Stop })
}

/// The same with the edges that are off cut between the tokens that they were between.
fn without_edges(
    asker: &mut Asker,
    subject: &Subject,
    prompts: &[PromptRest],
) -> Result<ScoredJobs, QueryError> {
    let in_force = asker.client.in_force().clone();
    let mut jobs = Vec::new();
    let done = each_without(asker, subject, prompts, &mut jobs);
    asker.client.intervene(in_force);
    jobs.resize(prompts.len() * subject.named().count(), None);
    Ok(ScoredJobs { jobs, done: done? })
}

/// `false`: it was stopped.
fn each_without(
    asker: &mut Asker,
    subject: &Subject,
    prompts: &[PromptRest],
    jobs: &mut Vec<Option<Vec<Step>>>,
) -> Result<bool, QueryError> {
    let these = asker.client.in_force().at_the_end();
    for prompt in prompts {
        asker.client.intervene(moved(&these, prompt, subject.words.len()));
        for goal in subject.named() {
            let steps =
                if prompt.ids.is_empty() { Some(unknown(goal)) } else { looked(asker, prompt, goal)? };
            let Some(steps) = steps else { return Ok(false) };
            jobs.push(Some(steps));
        }
    }
    Ok(true)
}

/// A goal after nothing.
fn unknown(goal: &Goal) -> Vec<Step> {
    goal.ids.iter().map(|&id| Step { id, stats: None }).collect()
}

/// A goal after a prompt, without flash attention. `None`: it was stopped.
fn looked(asker: &mut Asker, prompt: &PromptRest, goal: &Goal) -> Result<Option<Vec<Step>>, QueryError> {
    let then = goal.ids[..goal.ids.len() - 1].to_vec();
    let variants = vec![Variant::copy(prompt.ids.len() - 1)];
    let look = LookFor::Variants(Variants { variants, then, ..Variants::default() });
    let mut steps = None;
    let done = inspect(asker, (&prompt.ids, &goal.ids), look, &mut |_, found| {
        if let Found::Reading(Reading { prediction, named, .. }) = found {
            let step = |token: Candidate| {
                let (logprob, rank) = (token.logprob, token.rank.into());
                let stats = TokenStats { logprob, rank, outcome: None, prediction: prediction.clone() };
                Step { id: token.id, stats: Some(stats) }
            };
            steps = Some(named.into_iter().map(step).collect());
        }
    })?;
    Ok(steps.filter(|_| done))
}

/// What is in force where only this is left of a prompt of so many tokens: an edge is one of two tokens, and gone
/// with either. A token that would see nothing keeps what it sees of itself.
fn moved(these: &Interventions, prompt: &PromptRest, whole: usize) -> Interventions {
    let place = |position: usize| match position.checked_sub(whole) {
        // What follows the prompt follows what is left of it.
        Some(behind) => Some(prompt.ids.len() + behind),
        None => prompt.stood.iter().position(|&stood| stood == position),
    };
    let at =
        |edge: AttentionEdge| Some(AttentionEdge { from: place(edge.from)?, to: place(edge.to)?, ..edge });
    let (edges, others) = these.apart();
    let mut edges: Vec<AttentionEdge> = edges.into_iter().filter_map(at).collect();
    while let Some(to) = blind(&edges) {
        edges.retain(|edge| (edge.from, edge.to) != (to, to));
    }
    let edges = edges.into_iter().map(|edge| Intervention::Off(OffPart::Edge(edge)));
    others.iter().cloned().chain(edges).collect()
}

#[cfg(test)]
mod tests {
    use super::{PromptRest, moved};
    use crate::intervention::{Intervention, Interventions};
    use crate::token::TokenId;

    fn off(names: &[&str]) -> Interventions {
        names.iter().map(|name| name.parse::<Intervention>().unwrap()).collect()
    }

    fn left(these: &Interventions, whole: usize, stood: &[usize]) -> String {
        let ids: Vec<TokenId> = (0..whole as u32).map(TokenId).collect();
        moved(these, &PromptRest::of(&ids, stood.iter().copied()), whole).to_string()
    }

    #[test]
    fn an_edge_is_one_of_two_tokens_and_gone_with_either() {
        let these = off(&["head 3:1", "edge 1:3", "edge 2:4:5:6", "edge 4:6"]);
        let left = |stood: &[usize]| left(&these, 5, stood);
        assert_eq!(left(&[0, 1, 2, 3, 4]), "head 3:1, edge 1:3, edge 2:4:5:6, edge 4:6");
        assert_eq!(left(&[1, 2, 3, 4]), "head 3:1, edge 0:2, edge 1:3:5:6, edge 3:5");
        assert_eq!(left(&[0, 2, 3, 4]), "head 3:1, edge 1:3:5:6, edge 3:5");
        assert_eq!(left(&[4]), "head 3:1, edge 0:2");
    }

    #[test]
    fn a_token_sees_at_least_itself() {
        let these = off(&["edge 2:3", "edge 3:3"]);
        assert_eq!(left(&these, 4, &[1, 2, 3]), "edge 1:2, edge 2:2");
        assert_eq!(left(&these, 4, &[2, 3]), "edge 0:1");
        assert_eq!(left(&these, 4, &[3]), "");
    }
}
