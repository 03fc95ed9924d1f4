use super::key::SettingKey;
use super::*;

fn settings(file: &str, flags: Flags, sampling: SamplingFlags) -> Result<Settings, SettingsError> {
    let file = toml::from_str(file).unwrap();
    Settings::from_layers(Sampling::chat(), &file, &flags, &sampling)
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = "[general]\nmodel = \"a.gguf\"\nk = 5\n[sampling]\ntemp = 0.3\ntop-p = 0.5";
    let flags = Flags { model: vec!["b.gguf".to_string(), "c.gguf".to_string()], ..Flags::default() };
    let sampling = SamplingFlags { temp: Some(0.7), ..SamplingFlags::default() };
    let settings = settings(file, flags, sampling).unwrap();
    assert_eq!(settings.model, "b.gguf");
    assert_eq!(settings.other_models, ["c.gguf"]);
    assert_eq!(settings.k, Depth::Count(5));
    assert_eq!(
        (settings.sampling.temperature, settings.sampling.top_p, settings.sampling.min_p),
        (0.7, 0.5, 0.05)
    );
}

#[test]
fn a_temperature_on_the_command_line_overrides_greedy_in_the_file() {
    let sampling = SamplingFlags { temp: Some(0.7), ..SamplingFlags::default() };
    let settings = settings("[sampling]\ngreedy = true", Flags::default(), sampling).unwrap();
    assert!(!settings.sampling.is_greedy());
}

#[test]
fn a_value_out_of_range_says_what_would_be_right() {
    let sampling = SamplingFlags { top_p: Some(1.5), ..SamplingFlags::default() };
    let error = settings("", Flags::default(), sampling).unwrap_err();
    assert_eq!(error.to_string(), "top-p 1.5: must be above 0, up to 1 (off)");
}

#[test]
fn every_key_reads_back_what_it_was_set_to() {
    let mut settings = settings("", Flags::default(), SamplingFlags::default()).unwrap();
    let values = [
        "95%", "0.5", "40", "0.9", "0.1", "0.7", "1.5", "0.5,0.1", "0.8", "1.1", "0.2", "-0.1", "2,5,0.1",
        "on", "a.gbnf", "b.json", "[ab]+", "42", "100", "2.5",
    ];
    assert_eq!(values.len(), SettingKey::ALL.len());
    for (key, value) in SettingKey::ALL.into_iter().zip(values) {
        key.set(&mut settings, value).unwrap();
        assert_eq!(key.show(&settings), value, "{}", key.name());
    }
    for key in [
        SettingKey::Xtc,
        SettingKey::Mirostat,
        SettingKey::Greedy,
        SettingKey::Regex,
        SettingKey::MaxTokens,
        SettingKey::Pace,
    ] {
        key.set(&mut settings, "off").unwrap();
        assert_eq!(key.show(&settings), "off");
    }
}

#[test]
fn one_constraint_takes_the_place_of_another_and_is_read_by_who_uses_it() {
    let file = "[sampling]\ngrammar = \"/no/such/file\"";
    let mut settings = settings(file, Flags::default(), SamplingFlags::default()).unwrap();
    assert_eq!(SettingKey::Grammar.show(&settings), "/no/such/file");
    assert!(settings.read_constraint().unwrap_err().to_string().starts_with("/no/such/file: "));
    SettingKey::Regex.set(&mut settings, "yes|no").unwrap();
    assert_eq!([SettingKey::Grammar.show(&settings), SettingKey::Regex.show(&settings)], ["off", "yes|no"]);
    SettingKey::Grammar.set(&mut settings, "off").unwrap();
    assert_eq!(SettingKey::Regex.show(&settings), "yes|no");
    settings.read_constraint().unwrap();
    assert!(settings.sampling.grammar.is_some());
    SettingKey::Regex.set(&mut settings, "off").unwrap();
    assert_eq!((settings.constraint, settings.sampling.grammar), (None, None));
}

#[test]
fn a_refused_value_changes_nothing() {
    let mut settings = settings("", Flags::default(), SamplingFlags::default()).unwrap();
    let before = settings.clone();
    for (key, value) in [
        (SettingKey::TopP, "2"),
        (SettingKey::Temp, "-1"),
        (SettingKey::Temp, "NaN"),
        (SettingKey::K, "0"),
        (SettingKey::K, "x"),
        (SettingKey::Seed, "4294967295"),
        (SettingKey::Xtc, "1"),
        (SettingKey::Mirostat, "3"),
    ] {
        assert!(key.set(&mut settings, value).is_err(), "{} {value}", key.name());
        assert_eq!(settings, before);
    }
}

#[test]
fn an_unknown_setting_names_the_nearest() {
    assert_eq!(
        SettingKey::named("tempp").unwrap_err().to_string(),
        "no setting is called tempp; did you mean temp?"
    );
}

#[test]
fn a_broken_file_names_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, "[general]\nk = 5\ncolour = \"auto\"\n").unwrap();
    let message = ConfigFile::read(&path).unwrap_err().to_string();
    assert!(message.contains("config.toml:3:1: unknown field `colour`"), "{message}");
    std::fs::write(&path, "[general]\nk = \"5x\"\n").unwrap();
    let message = ConfigFile::read(&path).unwrap_err().to_string();
    assert!(message.contains("write a number of candidates"), "{message}");
}

#[test]
fn every_setting_has_its_own_row() {
    for key in SettingKey::ALL {
        let plain = |text: &str| text.to_lowercase().replace('-', "");
        assert_eq!(plain(key.name()), plain(&format!("{key:?}")));
    }
}
