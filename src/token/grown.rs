//! Tokens that come to be known one by one, because a server names them only as it uses them.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::TokenId;

/// Ids in a page; pages are made as they are needed.
const PAGE: usize = 1 << 12;
/// Ids there can be.
pub(super) const MOST: usize = 1 << 21;

type TokenSlot = OnceLock<Box<[u8]>>;

/// The bytes of tokens by id, each written once.
#[derive(Debug)]
pub(super) struct Grown {
    pages: Box<[OnceLock<Box<[TokenSlot]>>]>,
    /// Those that have no id but the one they were given here.
    named: Mutex<NamedTokens>,
}

#[derive(Debug, Default)]
struct NamedTokens {
    ids: HashMap<(Box<[u8]>, u32), u32>,
    next: u32,
}

impl Grown {
    /// None is known; ids that are given here begin with `first`.
    pub fn from(first: usize) -> Grown {
        let named = NamedTokens { next: first as u32, ..NamedTokens::default() };
        Grown { pages: (0..MOST / PAGE).map(|_| OnceLock::new()).collect(), named: Mutex::new(named) }
    }

    /// The bytes of a token that is known.
    pub fn bytes(&self, id: TokenId) -> Option<&[u8]> {
        let page = self.pages.get(id.index() / PAGE)?.get()?;
        page[id.index() % PAGE].get().map(|bytes| &bytes[..])
    }

    /// Notes a token's bytes; `false` where it is known by others, or can't be.
    pub fn learn(&self, id: TokenId, bytes: &[u8]) -> bool {
        let Some(page) = self.pages.get(id.index() / PAGE) else { return false };
        let page = page.get_or_init(|| (0..PAGE).map(|_| OnceLock::new()).collect());
        &page[id.index() % PAGE].get_or_init(|| bytes.into())[..] == bytes
    }

    /// The id of the n-th token that is spelled so, which has one from now on; `None` when there are too many.
    pub fn name(&self, bytes: &[u8], nth: u32) -> Option<TokenId> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(bytes), nth);
        if let Some(&id) = named.ids.get(&key) {
            return Some(TokenId(id));
        }
        let id = TokenId(named.next);
        self.learn(id, bytes).then(|| {
            named.ids.insert(key, id.0);
            named.next += 1;
            id
        })
    }
}
