//! The standalone example and the limit on its open descriptors.

#[cfg(target_os = "linux")]
#[test]
fn the_standalone_example_raises_its_soft_limit() {
    use floret::testing::scratch;

    use crate::standalone::Standalone;

    let folder = scratch();
    let store = folder.path().join("store.db");
    let server = Standalone::start_by(
        r#"ulimit -Sn 64 && exec "$0" "$@""#,
        &["--db", store.to_str().unwrap()],
    );
    let limits = format!("/proc/{}/limits", server.process_id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let figures: Vec<u64> = line
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [soft, hard] = figures[..] else {
        panic!("{limits}");
    };
    assert_eq!(soft, hard.min(65_536));
}
