use proptest::prelude::*;

use super::*;

fn plain() -> Interventions {
    Interventions::default()
}

fn step(id: u32) -> Arc<Step> {
    Arc::new(Step { id: TokenId(id), stats: None })
}

fn ids(tree: &TokenTree) -> Vec<u32> {
    tree.path().iter().map(|&number| tree.node(number).unwrap().id.0).collect()
}

fn typed(ids: &[u32]) -> Vec<(TokenId, NodeOrigin)> {
    ids.iter().map(|&id| (TokenId(id), NodeOrigin::Typed)).collect()
}

#[test]
fn a_second_way_begins_where_the_head_was_put_and_the_first_one_stays() {
    let mut tree = TokenTree::default();
    tree.enter(typed(&[1, 2]), &InForce::default());
    let prompt = tree.head();
    let old: Vec<_> = [3, 4].map(|id| tree.append(step(id), NodeOrigin::Sampled, &plain())).into();
    assert!(tree.go_to(prompt));
    let new = tree.append(step(5), NodeOrigin::Swapped, &plain());
    assert_eq!((ids(&tree), new), (vec![1, 2, 5], NodeNumber(4)));
    assert_eq!(tree.children(prompt).collect::<Vec<_>>(), [old[0], new]);
    assert_eq!(tree.common(old[1], new), prompt);
    assert_eq!(tree.path_to(old[1]), [0, 1, 2, 3].map(NodeNumber));
}

#[test]
fn a_prompt_goes_over_the_nodes_there_are_and_keeps_their_figures() {
    let mut tree = TokenTree::default();
    tree.enter(typed(&[1, 2]), &InForce::default());
    tree.fill(NodeNumber(1), step(2));
    tree.append(step(3), NodeOrigin::Sampled, &plain());
    tree.enter(typed(&[1, 2, 3, 9]), &InForce::default());
    assert_eq!((ids(&tree), tree.len()), (vec![1, 2, 3, 9], 4));
    assert_eq!(tree.at(2).unwrap().origin, NodeOrigin::Sampled);
    assert!(tree.at(1).unwrap().step.is_some() && tree.at(3).unwrap().step.is_none());
    // Another beginning is another path; the same one again is not.
    tree.enter(typed(&[7, 2]), &InForce::default());
    tree.enter(typed(&[1, 2, 3, 9]), &InForce::default());
    assert_eq!((tree.len(), tree.head()), (6, Some(NodeNumber(3))));
}

#[test]
fn what_was_predicted_under_something_else_is_another_node() {
    let off: Interventions = ["layer 3".parse().unwrap()].into_iter().collect();
    let mut tree = TokenTree::default();
    tree.enter(typed(&[1, 2]), &InForce::default());
    // From the second token on something is off: it predicts the third.
    let late = InForce::default().after(2, &off);
    tree.enter(typed(&[1, 2, 3]), &late);
    assert_eq!(tree.len(), 3);
    assert_eq!((&tree.at(1).unwrap().under, &tree.at(2).unwrap().under), (&plain(), &off));
    assert_eq!(tree.in_force(), late);
    // From the start on, only the first token is the same: nothing predicted it.
    tree.enter(typed(&[1, 2, 3]), &off.clone().into());
    assert_eq!((tree.len(), tree.in_force()), (5, off.into()));
    tree.enter(typed(&[1, 2, 3]), &late);
    assert_eq!(tree.len(), 5);
}

#[test]
fn figures_are_filled_in_once_and_only_those_of_the_same_token() {
    let mut tree = TokenTree::default();
    tree.enter(typed(&[1]), &InForce::default());
    tree.fill(NodeNumber(0), step(2));
    assert!(tree.at(0).unwrap().step.is_none());
    tree.fill(NodeNumber(0), step(1));
    assert!(tree.at(0).unwrap().step.is_some());
    tree.fill(NodeNumber(7), step(1));
}

/// Something that happens to a tree; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Append(u32),
    GoTo(usize),
    Enter(Vec<u32>),
    Prune(usize),
    Name(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        4 => (0..4u32).prop_map(Act::Append),
        2 => any::<usize>().prop_map(Act::GoTo),
        1 => prop::collection::vec(0..3u32, 0..6).prop_map(Act::Enter),
        1 => any::<usize>().prop_map(Act::Prune),
        1 => any::<usize>().prop_map(Act::Name),
    ];
    prop::collection::vec(one, 0..60)
}

fn checked(tree: &TokenTree) {
    for number in (0..tree.len() as u32).map(NodeNumber) {
        let node = tree.node(number).unwrap();
        let path = tree.path_to(number);
        assert_eq!((path.len(), path.last()), (node.position() + 1, Some(&number)));
        assert!(path.is_sorted(), "a parent comes before its children");
        let is_child = tree.children(node.parent()).any(|child| child == number);
        assert_eq!(is_child, !node.is_pruned());
        assert!(
            node.is_pruned() || node.parent().is_none_or(|parent| !tree.node(parent).unwrap().is_pruned())
        );
        for other in (0..tree.len() as u32).map(NodeNumber) {
            let theirs = tree.path_to(other);
            let same = path.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            assert_eq!(tree.common(number, other), same.checked_sub(1).map(|last| path[last]));
        }
    }
    let head = tree.head().map(|head| tree.path_to(head)).unwrap_or_default();
    assert_eq!(head, tree.path());
    assert!(tree.path().iter().all(|&number| !tree.node(number).unwrap().is_pruned()));
    assert!(tree.names().all(|(number, _)| !tree.node(number).unwrap().is_pruned()));
}

proptest! {
    #[test]
    fn whatever_happens_every_node_keeps_its_path(acts in acts()) {
        let mut tree = TokenTree::default();
        let mut known: Vec<Vec<u32>> = Vec::new();
        for act in acts {
            let nth = |n: usize, tree: &TokenTree| NodeNumber((n % tree.len().max(1)) as u32);
            match act {
                Act::Append(id) => _ = tree.append(step(id), NodeOrigin::Sampled, &plain()),
                Act::GoTo(n) => {
                    let number = nth(n, &tree);
                    let there = tree.node(number).is_some_and(|node| !node.is_pruned());
                    prop_assert_eq!(tree.go_to(Some(number)), there);
                }
                Act::Enter(wanted) => {
                    tree.enter(typed(&wanted), &InForce::default());
                    prop_assert_eq!(ids(&tree), wanted);
                }
                Act::Prune(n) => {
                    let number = nth(n, &tree);
                    let on_path = tree.path().contains(&number);
                    let gone = tree.prune(number);
                    prop_assert!(!on_path || gone == 0);
                }
                Act::Name(n) => {
                    let number = nth(n, &tree);
                    let there = tree.node(number).is_some_and(|node| !node.is_pruned());
                    tree.set_name(number, Some("x".to_string()).filter(|_| there));
                }
            }
            for number in known.len()..tree.len() {
                let path = tree.path_to(NodeNumber(number as u32));
                known.push(path.iter().map(|&number| tree.node(number).unwrap().id.0).collect());
            }
        }
        checked(&tree);
        for (number, before) in known.iter().enumerate() {
            let path = tree.path_to(NodeNumber(number as u32));
            let now: Vec<u32> = path.iter().map(|&number| tree.node(number).unwrap().id.0).collect();
            prop_assert_eq!(&now, before);
        }
    }
}
