use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[test]
fn a_batch_ends_with_the_cells_that_are_looked_at_anyway() {
    assert_eq!([0, 1, 19, 128].map(batch_behind), [256, 255, 237, 128]);
    // Little would be left.
    assert_eq!([129, 255, 256, 300].map(batch_behind), [256, 256, 256, 212]);
}

fn ids(count: usize, first: u32) -> Vec<TokenId> {
    (0..count as u32).map(|i| TokenId(first + i)).collect()
}

/// What lies in a cell: the token, its position, and the sequences that see it.
type Cell = (TokenId, usize, Vec<SeqId>);

/// What a cache holds after a group, cell by cell.
fn computed(group: &VariantGroup, ground: &Ground, mut cells: Vec<Cell>) -> Vec<Cell> {
    for &entry in &group.entries {
        cells.push((group.token(entry, ground), entry.position, group.sequences(entry, ground)));
    }
    cells
}

proptest! {
    /// Whether what is shared is computed with the variants or before them, each sees its own tokens, each once,
    /// where it looks for them.
    #[test]
    fn a_variant_sees_its_own_tokens(
        (length, common) in (2usize..12).prop_flat_map(|length| (Just(length), 0..length)),
        asked in prop::collection::vec((0usize..12, any::<bool>()), 1..9),
        then in 0usize..3,
        together in any::<bool>(),
    ) {
        let own = ids(length, 0);
        let other = [&own[..common], &ids(length - common, 100)].concat();
        let variants: Vec<Variant> = asked
            .iter()
            .map(|&(from, of_other)| Variant { of_other, ..Variant::copy(from % length) })
            .collect();
        let asked = Variants { variants, other, then: ids(then, 200), ..Variants::default() };
        let request = Inspect {
            tokens: own,
            look: crate::engine::look::LookFor::Variants(asked.clone()),
            named: Vec::new(),
            depth: crate::distribution::Depth::Count(1),
            interventions: Default::default(),
            cancel: Default::default(),
        };
        let mut ground = Ground::new(&request, &asked, 64).unwrap();
        let numbered: Vec<(usize, &Variant)> = asked.variants.iter().enumerate().collect();
        let mut cells = Vec::new();
        if !together {
            cells = computed(&VariantGroup::new(&[], &ground), &ground, cells);
            prop_assert_eq!(cells.len(), ground.cells());
            ground.laid = true;
            // As the cache shares them.
            for (i, variant) in &numbered {
                let of = if variant.of_other { OTHER } else { TRUNK };
                let shared = |cell: &&mut Cell| cell.1 < variant.from && cell.2.contains(&of);
                cells.iter_mut().filter(shared).for_each(|cell| cell.2.push(lane(*i)));
            }
        }
        let group = VariantGroup::new(&numbered, &ground);
        let cells = computed(&group, &ground, cells);
        for &(i, variant) in &numbered {
            let of_it = if variant.of_other { &ground.other } else { &ground.own };
            let seen: HashMap<usize, TokenId> =
                cells.iter().filter(|cell| cell.2.contains(&lane(i))).map(|cell| (cell.1, cell.0)).collect();
            prop_assert_eq!(seen.len(), of_it.len());
            prop_assert_eq!(cells.iter().filter(|cell| cell.2.contains(&lane(i))).count(), of_it.len());
            for (position, &token) in of_it.iter().enumerate() {
                prop_assert_eq!(seen[&position], token);
                let cell = &cells[group.cell(TokenOwner::Variant(i), position, &ground)];
                prop_assert_eq!((cell.0, cell.1), (token, position));
                prop_assert!(cell.2.contains(&lane(i)));
            }
        }
    }
}
