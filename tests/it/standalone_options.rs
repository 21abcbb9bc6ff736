//! The options of the standalone example: flags, variables and a file, and which of them wins.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::standalone::{Standalone, command};

/// An option with a value from each source: as it is given, and as it is shown.
struct Row {
    name: &'static str,
    default: Option<&'static str>,
    file: [&'static str; 2],
    variable: [&'static str; 2],
    flag: [&'static str; 2],
}

const fn row(
    name: &'static str,
    default: Option<&'static str>,
    file: [&'static str; 2],
    variable: [&'static str; 2],
    flag: [&'static str; 2],
) -> Row {
    Row {
        name,
        default,
        file,
        variable,
        flag,
    }
}

/// Returns a row of texts: they are shown in quotes.
const fn texts(name: &'static str, default: Option<&'static str>) -> Row {
    let quoted = ["'f'", r#""f""#];
    row(name, default, quoted, ["v", r#""v""#], ["=a b", r#""a b""#])
}

fn rows() -> Vec<Row> {
    let (yes, no) = (["true", "true"], ["off", r#""off""#]);
    let secret = r#""***""#;
    vec![
        row(
            "listen",
            Some(r#""127.0.0.1:8080""#),
            [r#""127.0.0.1:1""#, r#""127.0.0.1:1""#],
            ["127.0.0.1:2", r#""127.0.0.1:2""#],
            ["=127.0.0.1:3", r#""127.0.0.1:3""#],
        ),
        row(
            "api-key",
            None,
            [r#""canary-file""#, secret],
            ["canary-variable", secret],
            ["=canary-flag", secret],
        ),
        texts("api-keys", None),
        row(
            "log-format",
            Some(r#""text""#),
            [r#""json""#, r#""json""#],
            ["text", r#""text""#],
            ["=json", r#""json""#],
        ),
        texts("db", Some(r#""floret.db""#)),
        row("memory", Some("false"), yes, no, ["", "true"]),
        row(
            "durability",
            Some(r#""full""#),
            [r#""normal""#, r#""normal""#],
            ["full", r#""full""#],
            ["=normal", r#""normal""#],
        ),
        texts("secret-key-file", None),
        row(
            "old-secret-key-file",
            None,
            [r#"["A", "B"]"#, r#"["A", "B"]"#],
            ["C,D", r#"["C", "D"]"#],
            ["=E", r#"["E"]"#],
        ),
        row(
            "allow-private-hooks",
            Some("false"),
            ["true", "true"],
            ["off", r#""off""#],
            ["", "true"],
        ),
        row("allow-commands", Some("false"), yes, no, ["", "true"]),
        row(
            "inherit-env",
            None,
            [r#"["A", "B"]"#, r#"["A", "B"]"#],
            ["C,D", r#"["C", "D"]"#],
            ["=E", r#"["E"]"#],
        ),
        texts("data-dir", None),
        row(
            "max-concurrent-runs",
            None,
            ["1", "1"],
            ["2", "2"],
            ["=3", "3"],
        ),
        texts("pipelines", None),
    ]
}

fn variable(name: &str) -> String {
    format!("FLORET_{}", name.to_uppercase().replace('-', "_"))
}

/// Returns the line with which `standalone options` shows this option.
fn shown(name: &str, command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let (text, errors) = (String::from_utf8(stdout), String::from_utf8(stderr));
    assert!(status.success(), "{name}: {}", errors.unwrap());
    let text = text.unwrap();
    assert!(!text.contains("canary"), "{text}");
    let mut lines = text.lines().map(|line| line.trim_start_matches("# "));
    let line = lines.find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("{name} is missing:\n{text}"))
        .to_owned()
}

fn options_with(file: &Path, text: &str) -> Command {
    std::fs::write(file, text).unwrap();
    let mut command = command(&["options"]);
    command.arg("--config").arg(file);
    command
}

#[test]
fn each_option_is_a_flag_before_a_variable_before_the_file_before_the_default() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("floret.toml");
    let in_file = file.display();
    for row in rows() {
        let Row { name, .. } = row;
        let default = match row.default {
            Some(value) => format!("{name} = {value}  # default"),
            None => format!("{name} is not set"),
        };
        let entry = format!("{name} = {}\n", row.file[0]);
        assert_eq!(shown(name, &mut options_with(&file, "")), default);
        let mut command = options_with(&file, &entry);
        let expected = format!("{name} = {}  # {in_file}", row.file[1]);
        assert_eq!(shown(name, &mut command), expected);
        command.env(variable(name), row.variable[0]);
        let expected = format!("{name} = {}  # {}", row.variable[1], variable(name));
        assert_eq!(shown(name, &mut command), expected);
        command.arg(format!("--{name}{}", row.flag[0]));
        let expected = format!("{name} = {}  # --{name}", row.flag[1]);
        assert_eq!(shown(name, &mut command), expected);
    }
}

#[test]
fn the_rows_above_are_all_options() {
    let output = command(&["options"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().map(|line| line.trim_start_matches("# "));
    let names: Vec<_> = names.map(|line| line.split(' ').next().unwrap()).collect();
    let expected: Vec<_> = rows().iter().map(|row| row.name).collect();
    assert_eq!(names, expected);
}

#[test]
fn what_is_shown_is_a_file_that_gives_the_same() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("floret.toml");
    let entry = |row: &Row| format!("{} = {}\n", row.name, row.file[0]);
    let entries: String = rows().iter().map(entry).collect();
    let first = options_with(&file, &entries).output().unwrap();
    let first = String::from_utf8(first.stdout).unwrap();
    std::fs::write(&file, &first).unwrap();
    let mut second = command(&["options"]);
    let second = second.env("FLORET_CONFIG", &file).output().unwrap();
    // A key is not in it, not even as the text that stands for it.
    let key = format!("# api-key = \"***\"  # {}", file.display());
    assert!(first.lines().any(|line| line == key), "{first}");
    let expected = first.replace(&key, "# api-key is not set");
    assert_eq!(String::from_utf8(second.stdout).unwrap(), expected);
}

/// Starts the server with a file that it refuses. Returns the message, which is one line.
fn refusal(text: &str) -> String {
    let folder = floret::testing::scratch();
    let file = folder.path().join("floret.toml");
    std::fs::write(&file, text).unwrap();
    let mut server = command(&["--config", file.to_str().unwrap()]);
    let Output { status, stderr, .. } = server.output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    let errors: Vec<_> = message
        .lines()
        .filter(|line| !line.starts_with("warning: "))
        .collect();
    assert_eq!(status.code(), Some(2), "{text}: {message}");
    assert_eq!(errors.len(), 1, "{message}");
    assert!(!message.contains("canary"), "{message}");
    errors[0].to_owned()
}

#[test]
fn a_faulty_file_is_refused_with_every_fault() {
    for (text, expected) in [
        (
            "lisen = 'x'",
            r#"lisen: there is no such option; did you mean "listen"?"#,
        ),
        (
            "max_concurrent_runs = 1",
            r#"did you mean "max-concurrent-runs"?"#,
        ),
        ("config = 'other.toml'", "config: there is no such option"),
        ("zzz = 1", "zzz: there is no such option"),
        ("listen = 'here'", "listen: invalid value 'here'"),
        ("log-format = 'xml'", "[possible values: text, json]"),
        (
            "max-concurrent-runs = 0",
            "max-concurrent-runs: invalid value '0'",
        ),
        ("memory = 'maybe'", "memory: invalid value 'maybe'"),
        ("db = ['a', 'b']", "db: one value is expected, not several"),
        (
            "[db]\nfile = 'a'",
            "db: a text, a number or a boolean is expected",
        ),
        ("db = 'a'\ndb = 'b'", "line 2: "),
        ("db = 'a'\napi-key = \"canary", "line 2: "),
        (
            "memory = true\ndb = 'a.db'",
            "--memory and --db contradict each other",
        ),
        (
            "memory = true\ndurability = 'full'",
            "--memory and --durability",
        ),
        (
            "inherit-env = ['A']",
            "--inherit-env needs --allow-commands",
        ),
        (
            "listen = '0.0.0.0:0'\napi-key = 'canary'",
            "at least 16 characters",
        ),
        (
            "listen = '127.0.0.1:0'\napi-key = 'canary words'",
            "without blanks",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    let message = refusal("lisen = 'x'\nmemry = true");
    for suggestion in ["listen", "memory"] {
        assert!(message.contains(&format!("did you mean \"{suggestion}\"?")));
    }
    let mut missing = command(&["--config", "/nowhere/floret.toml"]);
    let output = missing.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("/nowhere/floret.toml"), "{message}");
}

#[test]
fn of_memory_and_a_store_the_stronger_source_wins() {
    let folder = floret::testing::scratch();
    let (file, store) = (folder.path().join("a.toml"), folder.path().join("runs.db"));
    // The start ends at the missing folder, after the store was opened.
    let text = "memory = true\nlisten = '127.0.0.1:0'\npipelines = '/nowhere'\n";
    std::fs::write(&file, text).unwrap();
    let start = |arguments: &[&str], variable: Option<&Path>| {
        let mut server = command(arguments);
        server.arg("--config").arg(&file);
        if let Some(path) = variable {
            server.env("FLORET_DB", path);
        }
        server.current_dir(folder.path());
        server.output().unwrap()
    };
    let output = start(&["--memory"], Some(&store));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = start(&["--pipelines", "."], Some(Path::new("/nowhere/a.db")));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("--db /nowhere/a.db"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_file_with_a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    let folder = floret::testing::scratch();
    let file = folder.path().join("floret.toml");
    for (text, mode, is_warned) in [
        ("api-key = 'canary'", 0o644, true),
        ("api-key = 'canary'", 0o600, false),
        ("db = 'a'", 0o644, false),
    ] {
        let mut command = options_with(&file, text);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let output = command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message.contains("can read the key"), is_warned, "{message}");
    }
}

#[cfg(unix)]
#[test]
fn the_log_has_one_json_object_a_line() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let mut server = command(&["--memory", "--listen", "127.0.0.1:0"]);
    server
        .env("FLORET_LOG_FORMAT", "json")
        .env("RUST_LOG", "info");
    server.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.unwrap().success());
    let mut log = String::new();
    server
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(server.wait().unwrap().success(), "{log}");
    let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
    let lines: Vec<_> = lines.collect::<Result<_, _>>().unwrap();
    let is_shutdown = |line: &serde_json::Value| {
        let message = line["fields"]["message"].as_str().unwrap();
        line["level"] == "INFO" && message.starts_with("shutting down")
    };
    assert!(lines.iter().any(is_shutdown), "{log}");
}

#[test]
fn each_shell_gets_a_script_that_completes_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let output = command(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        for row in rows() {
            assert!(script.contains(row.name), "{shell}: {}", row.name);
        }
    }
    let unknown = command(&["completions", "cmd"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

#[tokio::test]
async fn private_hooks_are_allowed_by_an_option_alone() {
    for (option, expected) in [
        ("--allow-private-hooks=false", 422),
        ("--allow-private-hooks", 201),
    ] {
        let server = Standalone::start(&["--memory", "--allow-commands", option]);
        for url in ["http://127.0.0.1:9/hook", "http://localhost:9/hook"] {
            let definition = json!({
                "name": url, "hooks": {"on_failure": {"type": "webhook", "url": url}},
                "nodes": [{"id": "a", "type": "command", "config": {"command": ["true"]}}],
            });
            let (status, saved) = server.api.post("/pipelines", &definition).await.unwrap();
            assert_eq!(status, expected, "{option} {url}: {saved}");
        }
        server.kill();
    }
}
