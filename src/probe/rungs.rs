//! Ladders: cases of a probe in the order of the number in their ids.

use indexmap::{IndexMap, IndexSet};

use super::outcome::ItemOutcome;

/// Cases of a probe in the order of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder<'a> {
    /// The probe's name, with the value of its other parameter where it has two.
    pub name: String,
    /// What climbs: the template's name of that number.
    pub parameter: String,
    /// The parameter and the case, smallest first.
    pub rungs: Vec<(f64, &'a ItemOutcome)>,
}

/// The ladders of a probe whose id holds one number, as in `gap-{{ n }}`, or two values of which one is a
/// number, as in `gap-{{ n }}-{{ word }}`: one for each value of the other. Of two numbers the one that
/// takes more values is climbed. None where the id holds something else; those of fewer than three cases
/// are left out.
pub fn ladders<'a>(probe: &str, items: &[&'a ItemOutcome]) -> Vec<Ladder<'a>> {
    let mut pieces = probe.split("{{");
    let before = pieces.next().unwrap_or_default();
    let holes: Option<Vec<(&str, &str)>> = pieces.map(|piece| piece.split_once("}}")).collect();
    let found = match holes.as_deref() {
        Some([(name, behind)]) => single(before, (name, behind), items),
        Some([one, two]) => pairs(before, [*one, *two], items),
        _ => None,
    };
    let mut ladders = found.unwrap_or_default();
    ladders.retain(|ladder| ladder.rungs.len() >= 3);
    for ladder in &mut ladders {
        ladder.rungs.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    ladders
}

fn single<'a>(
    before: &str,
    (name, behind): (&str, &str),
    items: &[&'a ItemOutcome],
) -> Option<Vec<Ladder<'a>>> {
    let rung =
        |item: &&'a ItemOutcome| Some((number(item.id.strip_prefix(before)?.strip_suffix(behind)?)?, *item));
    let rungs = items.iter().map(rung).collect::<Option<Vec<_>>>()?;
    let parameter = name.trim().to_string();
    Some(vec![Ladder { name: format!("{before}{{{{{name}}}}}{behind}"), parameter, rungs }])
}

fn pairs<'a>(
    before: &str,
    [(first, between), (second, behind)]: [(&str, &str); 2],
    items: &[&'a ItemOutcome],
) -> Option<Vec<Ladder<'a>>> {
    let values = |item: &&'a ItemOutcome| {
        let inside = item.id.strip_prefix(before)?.strip_suffix(behind)?;
        inside.split_once(between).filter(|_| !between.is_empty())
    };
    let values = items.iter().map(values).collect::<Option<Vec<_>>>()?;
    let (firsts, seconds): (IndexSet<&str>, IndexSet<&str>) = values.iter().copied().unzip();
    let climbs = |values: &IndexSet<&str>| values.iter().all(|value| number(value).is_some());
    let climbs_first = match (climbs(&firsts), climbs(&seconds)) {
        (false, false) => return None,
        (true, true) => firsts.len() > seconds.len(),
        (first_climbs, _) => first_climbs,
    };
    let mut ladders: IndexMap<&str, Vec<(f64, &'a ItemOutcome)>> = IndexMap::new();
    for ((a, b), item) in values.iter().zip(items) {
        let (step, other) = if climbs_first { (a, b) } else { (b, a) };
        ladders.entry(other).or_default().push((number(step)?, *item));
    }
    let name = |other: &str| match climbs_first {
        true => format!("{before}{{{{{first}}}}}{between}{other}{behind}"),
        false => format!("{before}{other}{between}{{{{{second}}}}}{behind}"),
    };
    let parameter = if climbs_first { first } else { second }.trim();
    let ladder =
        |(other, rungs): (&str, _)| Ladder { name: name(other), parameter: parameter.to_string(), rungs };
    Some(ladders.into_iter().map(ladder).collect())
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::ItemOutcome;

    fn ids(ids: &[&str]) -> Vec<ItemOutcome> {
        let item = |id: &&str| ItemOutcome { id: id.to_string(), ..ItemOutcome::default() };
        ids.iter().map(item).collect()
    }

    #[test]
    fn ladders_are_cases_of_one_number() {
        let items = ids(&["gap-10", "gap-9", "gap-100"]);
        let items: Vec<&ItemOutcome> = items.iter().collect();
        let ladders = super::ladders("gap-{{ n }}", &items);
        let xs: Vec<f64> = ladders[0].rungs.iter().map(|(x, _)| *x).collect();
        assert_eq!((ladders.len(), ladders[0].parameter.as_str(), xs), (1, "n", vec![9.0, 10.0, 100.0]));
        for probe in ["gap-1", "{{ a }}{{ b }}", "other-{{ n }}", "gap-{{ n", "{{ a }}-{{ b }}-{{ c }}"] {
            assert!(super::ladders(probe, &items).is_empty(), "{probe}");
        }
        assert!(super::ladders("gap-{{ n }}", &items[..2]).is_empty());
    }

    #[test]
    fn of_two_parameters_each_value_of_one_has_a_ladder_of_the_other() {
        let named = |probe: &str, items: &[ItemOutcome]| {
            let items: Vec<&ItemOutcome> = items.iter().collect();
            let ladders = super::ladders(probe, &items).into_iter();
            ladders.map(|ladder| (ladder.name, ladder.rungs.len())).collect::<Vec<_>>()
        };
        let words = ids(&["g-3-a", "g-1-a", "g-2-a", "g-1-b", "g-2-b", "g-3-b", "g-1-c"]);
        let expected = [("g-{{ n }}-a".to_string(), 3), ("g-{{ n }}-b".to_string(), 3)];
        assert_eq!(named("g-{{ n }}-{{ w }}", &words), expected);
        // Of two numbers the longer one is climbed.
        let grid = ids(&["1:1", "1:2", "1:3", "2:1", "2:2", "2:3"]);
        assert_eq!(
            named("{{ a }}:{{ b }}", &grid),
            [("1:{{ b }}".to_string(), 3), ("2:{{ b }}".to_string(), 3)]
        );
        assert_eq!(named("{{ a }}:{{ b }}", &ids(&["x:y", "x:z", "y:z"])), []);
    }
}
