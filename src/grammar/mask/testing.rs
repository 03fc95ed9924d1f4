//! Whether a whole reply follows a constraint.

use super::{Matcher, TokenId};

impl Matcher {
    /// Whether a reply of these tokens follows the constraint from beginning to end.
    pub fn accepts(mut self, tokens: &[TokenId]) -> Result<bool, String> {
        for &id in tokens {
            if self.inner.is_stopped() || !self.allowed()?.0.get(id.index()) {
                return Ok(false);
            }
            self.accept(id)?;
        }
        let end = self.inner.tok_env().map_or(0, |env| env.tok_trie().eos_token() as usize);
        Ok(self.allowed()?.0.get(end))
    }
}
