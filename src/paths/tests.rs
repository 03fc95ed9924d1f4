use super::*;

#[test]
fn one_folder_holds_all() {
    let paths = Paths::from_home(OsStr::new("/x/home")).unwrap();
    for folder in [&paths.data, &paths.cache, &paths.config, &paths.state] {
        assert_eq!(folder.parent(), Some(Path::new("/x/home")));
    }
    assert_eq!(paths.models(), Path::new("/x/home/data/models"));
    assert_eq!(paths.config_file(), Path::new("/x/home/config/config.toml"));
}

#[test]
fn a_relative_home_becomes_absolute() {
    let paths = Paths::from_home(OsStr::new("here")).unwrap();
    assert!(paths.data.is_absolute());
    assert!(paths.data.ends_with("here/data"));
}

#[test]
fn errors_say_what_to_do() {
    assert!(PathsError::NoHome.to_string().contains("TOKENSCOPE_HOME"));
}
