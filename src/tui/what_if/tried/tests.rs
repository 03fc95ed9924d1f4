use super::*;
use crate::sampling::Sampling;
use crate::settings::{ConfigFile, Flags, SamplingFlags};

fn settings() -> Settings {
    let (file, flags) = (ConfigFile::default(), Flags::default());
    Settings::from_layers(Sampling::chat(), &file, &flags, &SamplingFlags::default()).unwrap()
}

fn at(key: SettingKey) -> Tried {
    Tried { selected: TRIED.iter().position(|other| *other == key).unwrap(), ..Tried::default() }
}

#[test]
fn every_setting_goes_up_and_down_again_and_stays_within_what_is_allowed() {
    let settings = settings();
    for key in TRIED {
        let (mut tried, before) = (at(key), key.show(&settings));
        for by in [1, -1] {
            let mut seen = vec![before.clone()];
            for _ in 0..120 {
                tried.change(&settings, by);
                let now = key.show(&tried.of(&settings));
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
            }
            let now = tried.of(&settings);
            let mut checked = now.clone();
            assert!(key.set(&mut checked, &key.show(&now)).is_ok(), "{} {seen:?}", key.name());
            assert!(seen.iter().all(|value| value.len() <= 7), "{} {seen:?}", key.name());
            tried.reset();
        }
        tried.change(&settings, 1);
        if !tried.changed(&settings).is_empty() {
            tried.change(&settings, -1);
            assert_eq!(key.show(&tried.of(&settings)), before, "{}", key.name());
        }
    }
}

#[test]
fn what_is_tried_is_told_apart_from_what_is_in_force_and_taken_back() {
    let settings = settings();
    let mut tried = at(SettingKey::Temp);
    tried.change(&settings, -1);
    assert_eq!(tried.changed(&settings), [(SettingKey::Temp, "0.7".to_string())]);
    tried.change(&settings, 1);
    assert_eq!(tried.changed(&settings), []);
    tried.put(SettingKey::TopK, "40".to_string());
    tried.put(SettingKey::Greedy, "on".to_string());
    assert!(tried.of(&settings).sampling.is_greedy());
    // A temperature ends it, as /set has it.
    tried.put(SettingKey::Temp, "1.5".to_string());
    assert!(!tried.of(&settings).sampling.is_greedy());
    let told = tried.changed(&settings);
    assert_eq!(
        told.iter().map(|(key, value)| format!("{} {value}", key.name())).collect::<Vec<_>>(),
        ["temp 1.5", "top-k 40"]
    );
    tried.reset();
    assert_eq!(tried.changed(&settings), []);
}
