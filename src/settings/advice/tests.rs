use super::*;
use crate::model::ALIASES;
use crate::sampling::{Mirostat, Xtc};
use crate::settings::layer::{ConfigFile, Flags, SamplingFlags};

fn settings(file: &str, sampling: SamplingFlags) -> Settings {
    let file: ConfigFile = toml::from_str(file).unwrap();
    Settings::from_layers(Sampling::chat(), &file, &Flags::default(), &sampling).unwrap()
}

fn plain() -> Settings {
    settings("", SamplingFlags::default())
}

fn file(values: &[(&str, &str)]) -> About {
    let sampling = values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    About { sampling, ..About::default() }
}

fn smollm2() -> About {
    About { entry: Some(&ALIASES[0]), ..About::default() }
}

fn advised(about: &About, mut settings: Settings) -> Settings {
    let advice = Advice::of(about, &settings);
    settings.advise(&advice);
    settings
}

#[test]
fn a_model_nobody_recommends_anything_for_has_the_defaults_of_a_chat() {
    let settings = advised(&About::default(), plain());
    assert_eq!(settings.sampling_told(), "T 0.8 top-p 0.95 min-p 0.05 (default)");
    assert_eq!(settings.sources.of(SettingKey::Temp), Source::Default);
}

#[test]
fn the_catalogue_replaces_the_whole_default_set() {
    let settings = advised(&smollm2(), plain());
    let seed = settings.sampling.seed;
    let expected = Sampling { temperature: 0.2, top_p: 0.9, seed, ..Sampling::default() };
    assert_eq!(settings.sampling, expected);
    assert_eq!(settings.sampling_told(), "T 0.2 top-p 0.9 (catalogue)");
    assert_eq!(settings.sources.of(SettingKey::MinP), Source::Catalogue);
}

#[test]
fn the_file_comes_before_the_catalogue_and_replaces_its_whole_set() {
    let about = About { entry: Some(&ALIASES[0]), ..file(&[("top_k", "40")]) };
    let settings = advised(&about, plain());
    assert_eq!(settings.sampling_told(), "T 1 top-k 40 (model file)");
}

#[test]
fn what_a_person_set_stays() {
    let flags = SamplingFlags { top_p: Some(0.5), ..SamplingFlags::default() };
    let settings = advised(&smollm2(), settings("[sampling]\ntemp = 0.7", flags));
    assert_eq!((settings.sampling.temperature, settings.sampling.top_p), (0.7, 0.5));
    assert_eq!(settings.sampling.min_p, 0.0, "nobody set it: the catalogue's set has it off");
    assert_eq!(settings.sources.of(SettingKey::Temp), Source::Config);
    assert_eq!(settings.sources.of(SettingKey::TopP), Source::Flag);
    assert_eq!(settings.sampling_told(), "T 0.7 top-p 0.5 (command line, config.toml)");
}

#[test]
fn greedy_stays_greedy() {
    let flags = SamplingFlags { greedy: true, ..SamplingFlags::default() };
    assert_eq!(advised(&smollm2(), settings("", flags)).sampling_told(), "greedy (command line)");
}

#[test]
fn what_was_set_here_outlives_the_model_and_the_rest_follows_it() {
    let mut settings = advised(&smollm2(), plain());
    SettingKey::TopP.set(&mut settings, "0.3").unwrap();
    let settings = advised(&About::default(), settings);
    assert_eq!(settings.sampling_told(), "T 0.8 top-p 0.3 min-p 0.05 (set here, default)");
}

#[test]
fn every_key_of_llama_cpp_is_read() {
    let about = file(&[
        ("temp", "0.6"),
        ("top_k", "20"),
        ("top_p", "0.9"),
        ("min_p", "0.01"),
        ("xtc_probability", "0.5"),
        ("xtc_threshold", "0.2"),
        ("penalty_last_n", "128"),
        ("penalty_repeat", "1.1"),
    ]);
    let advice = Advice::of(&about, &plain());
    let expected = Sampling {
        temperature: 0.6,
        top_k: 20,
        top_p: 0.9,
        min_p: 0.01,
        xtc: Some(Xtc { probability: 0.5, threshold: 0.2 }),
        penalty_last_n: 128,
        repeat_penalty: 1.1,
        ..Sampling::default()
    };
    assert_eq!(advice, Advice { source: Source::Model, sampling: expected, note: None });
    let about = file(&[("mirostat", "2"), ("mirostat_tau", "4"), ("mirostat_eta", "0.2")]);
    let mirostat = Some(Mirostat { version: 2, tau: 4.0, eta: 0.2 });
    assert_eq!(Advice::of(&about, &plain()).sampling.mirostat, mirostat);
    let off = file(&[("top_k", "-1"), ("mirostat", "0"), ("xtc_probability", "0"), ("temp", "0.5")]);
    let expected = Sampling { temperature: 0.5, ..Sampling::default() };
    assert_eq!(Advice::of(&off, &plain()).sampling, expected);
}

#[test]
fn values_out_of_range_are_left_out_and_told_in_one_line() {
    let values = [
        ("temp", "0.5"),
        ("top_p", "1.5"),
        ("min_p", "NaN"),
        ("top_k", "many"),
        ("mirostat", "7"),
        ("foo", "1"),
    ];
    let advice = Advice::of(&file(&values), &plain());
    assert_eq!(advice.sampling, Sampling { temperature: 0.5, ..Sampling::default() });
    let note = advice.note.unwrap();
    for part in ["top_p 1.5 (must be above 0, up to 1 (off))", "min_p NaN", "top_k many", "mirostat 7", "foo"]
    {
        assert!(note.contains(part), "{note}");
    }
    assert!(!note.contains('\n') && !note.contains("temp"), "{note}");
    // Nothing that can be used is no recommendation.
    let advice = Advice::of(&file(&[("temp", "-1")]), &plain());
    assert_eq!((advice.source, advice.sampling), (Source::Default, Sampling::chat()));
    assert!(advice.note.unwrap().contains("temp -1 (must be 0 (greedy) or more)"));
}

#[test]
fn stages_outside_the_sequence_do_not_run_and_another_order_is_told() {
    let values = [("temp", "0.5"), ("top_k", "20"), ("min_p", "0.1"), ("sequence", "top_k;temperature")];
    let advice = Advice::of(&file(&values), &plain());
    assert_eq!(advice.sampling, Sampling { temperature: 0.5, top_k: 20, ..Sampling::default() });
    assert_eq!(advice.note, None);
    let values = [("temp", "0.5"), ("top_k", "20"), ("sequence", "temperature;top_k")];
    assert!(Advice::of(&file(&values), &plain()).note.unwrap().contains("temperature;top_k"));
    let values = [("temp", "0.5"), ("sequence", "temperature;infill")];
    assert!(Advice::of(&file(&values), &plain()).note.unwrap().contains("infill is not known"));
}

#[test]
fn mirostat_does_not_make_void_what_a_person_set() {
    let flags = SamplingFlags { top_k: Some(5), ..SamplingFlags::default() };
    let settings = advised(&file(&[("mirostat", "2")]), settings("", flags));
    assert_eq!((settings.sampling.mirostat, settings.sampling.top_k), (None, 5));
}
