use super::*;

#[test]
fn what_is_printed_is_what_is_parsed() {
    for text in [
        "head 23:4",
        "attention 12",
        "ffn 0",
        "layer 29",
        "steer joy.gguf:0.8",
        "steer joy.gguf:-1.5:10-20",
        "steer /a b/c:d.gguf:1:15",
    ] {
        let parsed: Intervention = text.parse().unwrap();
        assert_eq!(parsed.to_string(), text);
    }
    assert_eq!("head 23:4".parse(), Ok(OffPart::Head { layer: 23, head: 4 }));
    assert_eq!(" ffn  7 ".parse(), Ok(OffPart::FeedForward(7)));
    let dose: Steering = "a:1:2-3".parse().unwrap();
    assert_eq!((dose.file.as_str(), dose.scale, dose.layers), ("a", 1.0, Some(2..=3)));
    let dose: Steering = "a:b:0.5".parse().unwrap();
    assert_eq!((dose.file.as_str(), dose.scale, dose.layers), ("a:b", 0.5, None));
}

#[test]
fn what_is_no_part_says_what_would_be_right() {
    for text in [
        "",
        "head",
        "head 3",
        "head 3:x",
        "head -1:2",
        "ffn 1.5",
        "layer 3:4",
        "edge 3",
        "head 99999999999999999999:1",
    ] {
        let error = text.parse::<OffPart>().unwrap_err();
        assert!(error.ends_with(PARTS) && !error.contains('\n'), "{text}: {error}");
    }
    assert!("haed 3:4".parse::<OffPart>().unwrap_err().contains("did you mean head?"));
    for (text, what) in [
        ("v.gguf", "there is no scale"),
        ("v.gguf:", "the scale is no number"),
        ("v.gguf:x", "the scale is no number"),
        ("v.gguf:NaN", "the scale is no finite number"),
        ("v.gguf:1e99", "the scale is no finite number"),
        (":1", "there is no file"),
        ("v.gguf:1:0", "no vector has a direction for layer 0: they begin with layer 1"),
        ("v.gguf:1:9-3", "the first layer comes behind the last"),
    ] {
        let error = text.parse::<Steering>().unwrap_err();
        assert!(error.contains(what) && error.ends_with(DOSE), "{text}: {error}");
    }
}

#[test]
fn a_part_out_of_range_is_told_with_the_range() {
    let head = OffPart::Head { layer: 3, head: 9 };
    assert_eq!(head.check(30, 9), Err("head 3:9: the model has the heads 0 to 8".to_string()));
    assert_eq!(head.check(30, 10), Ok(()));
    assert_eq!(
        OffPart::Layer(30).check(30, 9),
        Err("layer 30: the model has the layers 0 to 29".to_string())
    );
}

#[test]
fn a_dose_beyond_what_f32_adds_up_is_refused() {
    let directions = [(1, Arc::from([3.0, 4.0]))].into();
    let vector = Arc::new(SteeringVector { directions, architecture: None });
    let dose =
        |scale| Steering { file: "v.gguf".to_string(), scale, layers: None, vector: Some(vector.clone()) };
    assert_eq!(dose(-1e17).check("llama", 2, 2), Ok(()));
    for scale in [1e18, -1e18, 1e38] {
        let error = dose(scale).check("llama", 2, 2).unwrap_err();
        assert!(error.ends_with("so large a dose; the largest is 2.0e17"), "{error}");
    }
}

#[test]
fn a_position_has_what_began_last_before_it() {
    let off = |layer| Interventions::from_iter([Intervention::Off(OffPart::Layer(layer))]);
    let mut all = InForce::from(Interventions::default());
    assert_eq!((all.newest(), all.at(5)), (None, Interventions::default()));
    all.begin(3, &off(1));
    all.begin(7, &off(1));
    assert_eq!(all.newest(), Some((3, &off(1))));
    all.begin(9, &Interventions::default());
    let seen = [2, 3, 8, 9, 20].map(|position| all.at(position).to_string());
    assert_eq!(seen, ["", "layer 1", "layer 1", "", ""]);
    all.begin(5, &off(2));
    assert_eq!([4, 5, 9].map(|position| all.at(position).to_string()), ["layer 1", "layer 2", "layer 2"]);
    all.begin(3, &Interventions::default());
    assert_eq!(all, InForce::default());
}

#[test]
fn a_token_is_predicted_by_the_position_before_it() {
    let off = |layer| Interventions::from_iter([Intervention::Off(OffPart::Layer(layer))]);
    let all = InForce::default().after(5, &off(1));
    assert_eq!(all.spans(), [(4, off(1))]);
    assert_eq!([0, 4, 5, 6].map(|index| all.of_token(index).to_string()), ["", "", "layer 1", "layer 1"]);
    assert_eq!(all.told().unwrap().to_string(), "off layer 1 since token 6 (from here)");
    // Of an empty conversation nothing is kept.
    let whole = InForce::default().after(0, &off(1));
    assert_eq!(whole, off(1).into());
    assert_eq!(whole.told().unwrap().to_string(), "off layer 1 (from the start)");
    let on = whole.after(9, &Interventions::default());
    assert_eq!(on.told().unwrap().to_string(), "all on again since token 10 (from here)");
    assert_eq!(on.after(3, &off(1)), whole, "what came of it is gone with its tokens");
    assert_eq!(InForce::default().told(), None);
}

#[test]
fn another_question_has_what_the_first_one_had_and_its_reply_what_it_had() {
    let off = |layer| Interventions::from_iter([Intervention::Off(OffPart::Layer(layer))]);
    let mut all = InForce::default();
    all.begin(4, &off(1));
    all.begin(9, &off(2));
    // A reply from token 10 on, under a question of which 6 tokens are the same, then from 14 on, then from 8.
    let longer = all.moved(6, 10, 14);
    assert_eq!(longer.spans(), [(4, off(1)), (13, off(2))]);
    let shorter = all.moved(3, 10, 8);
    assert_eq!(shorter.spans(), [(7, off(2))]);
    all.begin(12, &Interventions::default());
    assert_eq!(all.moved(6, 10, 11).spans(), [(4, off(1)), (10, off(2)), (13, Interventions::default())]);
    assert_eq!(InForce::default().moved(0, 0, 7), InForce::default());
}

#[test]
fn a_dose_is_scaled_and_stays_in_its_layers() {
    let directions = BTreeMap::from([(1, Arc::from([1.0, -2.0])), (2, Arc::from([4.0, 0.5]))]);
    let vector = SteeringVector { directions, architecture: None };
    let mut dose: Steering = "v:0.5:2-9".parse().unwrap();
    assert_eq!(dose.added(2), None);
    dose.vector = Some(Arc::new(vector));
    assert_eq!([1, 2, 3].map(|layer| dose.added(layer)), [None, Some(vec![2.0, 0.25]), None]);
}
