//! What each figure on a screen or in a table means, in a sentence or two: for the help, `/explain` and
//! whoever meets it for the first time. Plain data.

use crate::text::nearest;

/// A figure, the names it goes by, and what it is.
#[derive(Debug)]
pub struct GlossaryEntry {
    /// As it is written on the screen or in JSON; the first is the heading.
    pub names: &'static [&'static str],
    /// What it means.
    pub text: &'static str,
}

/// Every figure, those that a person meets first at the beginning.
pub const FIGURES: &[GlossaryEntry] = &[
    GlossaryEntry {
        names: &["raw", "raw%", "probability"],
        text: "what the model itself gives a token, in percent, before any sampler: its share of the whole vocabulary",
    },
    GlossaryEntry {
        names: &["final", "final%", "final_prob"],
        text: "the token's probability after the sampler: what it was drawn with. A stage's name stands there where that stage dropped the token",
    },
    GlossaryEntry {
        names: &["ln p", "logprob"],
        text: "the natural logarithm of the raw probability: 0 is certain, −0.69 is one half, −2.3 is one tenth. Sums of it are the log-probability of a text",
    },
    GlossaryEntry {
        names: &["rank"],
        text: "the token's place among all of the vocabulary by raw probability; 1 is the most probable",
    },
    GlossaryEntry {
        names: &["… more", "residual", "more"],
        text: "every token that is not shown, added up: how many there are and which share of the probability they have together",
    },
    GlossaryEntry {
        names: &["entropy", "H"],
        text: "how open the choice was, in nats: 0 is settled, 0.69 (1 bit) a choice as between two equal tokens, 2.08 (3 bit) as among eight",
    },
    GlossaryEntry {
        names: &["varentropy"],
        text: "how much the surprisal of the candidates varies around the entropy, in nats squared",
    },
    GlossaryEntry {
        names: &["margin"],
        text: "how far the best candidate is ahead of the second: the difference of their ln p, in nats. 0.69 means twice as probable",
    },
    GlossaryEntry {
        names: &["unsure"],
        text: "a step at which no candidate has half of the probability; Alt-n goes to the next",
    },
    GlossaryEntry {
        names: &["surprisal"],
        text: "−ln p of the token that stands there: how unexpected it was. In nats 0.69 for one half, 2.3 for one tenth; in bits 1 and 3.3",
    },
    GlossaryEntry {
        names: &["Σ", "sum_logprob", "cumulative_logprob", "sum", "Σ nat", "Σ ln p"],
        text: "the sum of the tokens' ln p, in nats: the log-probability of all of them together, of a reply for instance",
    },
    GlossaryEntry {
        names: &["mean", "per token", "/token", "/t", "nat/token", "mean_logprob"],
        text: "Σ ln p over the number of tokens that have one, in nats: it compares texts of different lengths, where Σ falls with each token. 0 is the best",
    },
    GlossaryEntry {
        names: &["Δ", "delta", "Δ ln p", "delta_logprob", "mean Δ"],
        text: "a difference of ln p in nats, the second minus the first: of two models B − A, of two branches the right minus the left, of a lens with the change minus without it. Below 0 the second is less probable; −0.69 is half as probable",
    },
    GlossaryEntry {
        names: &["KL", "KL(A‖B)", "divergence", "kl_to_final"],
        text: "the Kullback–Leibler divergence Σ p (ln p − ln q) over the whole vocabulary, in nats: how much is lost where q is taken for p. 0 is the same distribution; ≥ stands where only the lists of candidates are known. Of two models p is A's, of a layer the model's last",
    },
    GlossaryEntry {
        names: &["was", "was%"],
        text: "what the token's probability after the sampler was when this step was written, with the settings of then",
    },
    GlossaryEntry {
        names: &["can still be chosen", "left"],
        text: "how many tokens of the vocabulary no stage of the sampler drops with the settings that are tried",
    },
    GlossaryEntry {
        names: &["joint", "joint %", "joint_logprob"],
        text: "the probability of a whole continuation: the product of its tokens' raw probabilities, exp of their Σ ln p",
    },
    GlossaryEntry {
        names: &["pinned", "•", "/pin"],
        text: "the raw probability of the first token of a text that is pinned, at this step: exact where the step was written with the pin, else as far as the candidates tell",
    },
    GlossaryEntry {
        names: &["occlusion", "without it"],
        text: "ln p of the token with a part of the text before it left out, minus ln p with all of it, in nats: below 0 the part made the token more probable",
    },
    GlossaryEntry {
        names: &["logit lens", "logit", "layer"],
        text: "what the model's last step would say of the residual stream after an earlier layer: ln p and rank of the token there, in nats",
    },
    GlossaryEntry {
        names: &["context", "reach", "area"],
        text: "ln p of the token where the model sees only the last tokens before it, in nats: where the curve rises, something that far back matters",
    },
    GlossaryEntry {
        names: &["attention", "weight", "weights"],
        text: "the share of its sum that a head takes from each earlier token, from 0 to 1; they sum to one. Where a model looks, not what that does",
    },
    GlossaryEntry {
        names: &["attribution", "share of the logit"],
        text: "what a part of the model adds to the token's logit through the residual stream; the parts sum to the logit",
    },
    GlossaryEntry {
        names: &["keyboard", "n-gram"],
        text: "what a phone's keyboard would say: probabilities from counts of the last words in a corpus, beside the model's",
    },
    GlossaryEntry {
        names: &["knockout"],
        text: "ln p of the token with a part of the model switched off, minus ln p with all of it, in nats: below 0 the part made the token more probable",
    },
    GlossaryEntry {
        names: &["recovered", "trace"],
        text: "the share of what the token loses in the changed text that comes back when one place of the residual stream is put back: 0 is nothing, 1 is all",
    },
    GlossaryEntry {
        names: &["floor"],
        text: "the difference of ln p that the arithmetic alone makes, in nats: nothing below it is an effect",
    },
    GlossaryEntry {
        names: &["Brier score", "brier"],
        text: "the mean squared distance between a marked token's probability and 1 (right) or 0 (wrong): 0 is the best, 0.25 what a coin has",
    },
    GlossaryEntry {
        names: &["calibration error", "calibration_error", "calibration"],
        text: "how far the share of right tokens is from their mean probability, averaged over the groups by their sizes; of what you marked alone",
    },
    GlossaryEntry {
        names: &["95 %", "interval", "Wilson"],
        text: "Wilson's 95 % interval of a share: where the true share lies, were the marked tokens a random sample",
    },
    GlossaryEntry {
        names: &["ppl", "perplexity"],
        text: "exp of the mean surprisal per token: as if every token had been a choice among that many equal ones. 1 is the best",
    },
    GlossaryEntry {
        names: &["nat", "nats", "bit", "bits"],
        text: "units of information: a nat goes with the natural logarithm, a bit with that of base 2; 1 nat is 1.44 bit",
    },
    GlossaryEntry {
        names: &["bit/byte", "bits_per_byte", "nat/byte"],
        text: "surprisal per byte of text: the figure that can be compared between models with different tokens",
    },
    GlossaryEntry {
        names: &["␣ ⏎", "␣", "⏎", "⇥", "<0xE4>"],
        text: "a space, a line break and a tab inside a token, and a byte that is no whole character: tokens seldom end where words do",
    },
    GlossaryEntry {
        names: &["off", "on", "interventions"],
        text: "a part of the model that is switched off adds nothing: a head, attention, the feed-forward network, or both of a layer. /off head 23:4 does it, /on undoes it",
    },
    GlossaryEntry {
        names: &["from here", "from the start", "from start"],
        text: "since when something is off or added. From here: from the next token computed, while what the model read before stays as it was computed. From the start: the conversation is computed anew, as if it had always been so",
    },
    GlossaryEntry {
        names: &["steer", "dose"],
        text: "a steering vector, times its scale, is added to the residual stream after its layers: it moves what the model says in the vector's direction. A negative scale moves it away",
    },
    GlossaryEntry {
        names: &["▸"],
        text: "the token that stands in the text; every other row is one that might have stood there",
    },
    GlossaryEntry {
        names: &["scaffold", "<|im_end|>", "template"],
        text: "what the model's chat template writes around the messages: markers such as <|im_start|>; <|im_end|> is the token with which the model ends its reply",
    },
    GlossaryEntry {
        names: &["exact", "tolerance"],
        text: "ids, ranks and sums are exact for the logits computed; the logits are rounded as the weights' format and the batch have it, so that the same text read otherwise may differ a little. --exact makes them repeat bit for bit",
    },
    GlossaryEntry {
        names: &["t/s", "ctx"],
        text: "tokens written a second; tokens of the conversation and how many the model can hold",
    },
    GlossaryEntry {
        names: &["seed"],
        text: "the number that makes the sampler's chance repeatable; each reply has its own",
    },
];

/// The figure of a name.
pub fn entry(name: &str) -> Option<&'static GlossaryEntry> {
    FIGURES.iter().find(|entry| entry.names.iter().any(|other| other.eq_ignore_ascii_case(name)))
}

/// What a name stands for.
///
/// # Errors
/// The nearest name, or all of them.
pub fn explain(name: &str) -> Result<String, String> {
    let wanted = name.trim();
    if let Some(entry) = entry(wanted) {
        return Ok(format!("{}: {}", entry.names[0], entry.text));
    }
    let names = FIGURES.iter().flat_map(|entry| entry.names.iter().copied());
    Err(match nearest(wanted, names) {
        Some(near) => format!("no figure is called {wanted}; did you mean {near}?"),
        None => format!("no figure is called {wanted}; /explain alone lists them"),
    })
}

/// Every figure with its meaning, a line each.
pub fn all() -> String {
    let rows = FIGURES.iter().map(|entry| format!("{}: {}", entry.names[0], entry.text));
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_any_of_their_names() {
        for name in [
            "margin",
            "rank",
            "entropy",
            "ppl",
            "nat",
            "raw",
            "final",
            "␣",
            "… more",
            "LN P",
            "exact",
            "tolerance",
        ] {
            assert!(explain(name).is_ok(), "{name}");
        }
        assert_eq!(explain("entrpy").unwrap_err(), "no figure is called entrpy; did you mean entropy?");
    }

    #[test]
    fn no_name_stands_for_two_figures() {
        let mut names: Vec<&str> = FIGURES.iter().flat_map(|entry| entry.names).copied().collect();
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
    }
}
