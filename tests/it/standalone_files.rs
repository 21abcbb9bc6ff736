//! The files that deploy the standalone example: the unit for systemd and the Dockerfile.

use std::process::Command;

use crate::built_examples::example;
use crate::standalone::{Standalone, command};
use crate::tidy::root;

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("examples/standalone").join(name)).unwrap()
}

/// Returns the values of the lines that begin with a word.
fn values<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(word));
    lines.map(str::trim).collect()
}

/// Asserts that each assignment gives an option, by its variable.
fn assert_options(assignments: &[&str]) {
    let output = command(&["options"]).output().unwrap();
    let options = String::from_utf8(output.stdout).unwrap();
    let names = options.lines().map(|line| line.trim_start_matches("# "));
    let names = names.map(|line| line.split(' ').next().unwrap());
    let variable = |name: &str| format!("FLORET_{}", name.to_uppercase().replace('-', "_"));
    let variables: Vec<_> = names.map(variable).collect();
    assert!(!assignments.is_empty());
    for assignment in assignments {
        let (name, value) = assignment.split_once('=').unwrap();
        assert!(variables.iter().any(|variable| variable == name), "{name}");
        assert!(!value.is_empty(), "{name}");
    }
}

#[test]
fn the_unit_gives_options_that_exist() {
    let unit = read("standalone.service");
    assert_options(&values(&unit, "Environment="));
    let start = values(&unit, "ExecStart=");
    assert_eq!(
        start,
        ["/usr/local/bin/standalone --config /etc/floret/floret.toml"]
    );
    assert_eq!(values(&unit, "DynamicUser="), ["yes"]);
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_accepts_the_unit() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("standalone.service");
    let program = example("standalone").display().to_string();
    let unit = read("standalone.service").replace("/usr/local/bin/standalone", &program);
    std::fs::write(&file, unit).unwrap();
    let mut verify = Command::new("systemd-analyze");
    // A machine without systemd cannot check it.
    let Ok(output) = verify.args(["verify", "--man=no"]).arg(&file).output() else {
        return;
    };
    let text = String::from_utf8(output.stderr).unwrap();
    let own: Vec<_> = text
        .lines()
        .filter(|line| line.contains("standalone"))
        .collect();
    assert!(output.status.success() && own.is_empty(), "{text}");
}

#[test]
fn the_image_has_a_user_a_volume_and_the_toolchain_of_the_crate() {
    let text = read("Dockerfile");
    let (build, image) = text.split_once("\n\nFROM debian").unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = values(&manifest, "rust-version = ")[0].trim_matches('"');
    assert!(
        build.contains(&format!("FROM rust:{version}-slim-")),
        "{build}"
    );
    assert!(build.contains("cargo build --release --locked --example standalone"));
    assert_options(&values(image, "ENV "));
    assert_eq!(values(image, "USER "), ["10001"]);
    assert_eq!(values(image, "VOLUME "), ["/var/lib/floret"]);
    assert_eq!(values(image, "ENTRYPOINT "), [r#"["standalone"]"#]);
    assert!(values(image, "HEALTHCHECK ")[0].ends_with(r#"CMD ["standalone", "health"]"#));
}

#[test]
fn a_server_that_others_can_reach_does_not_start_without_a_key() {
    let text = read("Dockerfile");
    let mut server = command(&["--memory"]);
    for assignment in values(&text, "ENV ") {
        let (name, value) = assignment.split_once('=').unwrap();
        server.env(name, value);
    }
    let output = server.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("without --api-key or --api-keys"),
        "{message}"
    );
}

#[tokio::test]
async fn the_health_check_exits_by_the_health_of_the_server() {
    let server = Standalone::start(&["--memory", "--api-key", "the-key-of-this-test"]);
    let url = server.api.base().trim_end_matches("/api").to_owned();
    let health = || command(&["health", "--server", &url]).output().unwrap();
    let output = health();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"ok\n");
    server.kill();
    let output = health();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&url), "{message}");
}
