//! Nothing outside the data directory is read or written, and no message reveals its location.

use serde_json::json;

use super::TestDir;

#[tokio::test]
async fn a_path_that_leads_outside_is_refused() {
    let test_dir = TestDir::new();
    std::fs::write(test_dir.outer.path().join("secret.csv"), "a\n1\n").unwrap();
    let absolute = test_dir.outer.path().join("secret.csv");
    for path in [
        "../secret.csv",
        "x/../../secret.csv",
        "/secret.csv",
        absolute.to_str().unwrap(),
    ] {
        for failed in [
            test_dir.read(json!({"path": path})).await,
            test_dir
                .store(json!({"path": path}), json!([{"a": 2}]))
                .await,
        ] {
            let message = failed.unwrap_err().to_string();
            assert!(
                message.contains("is not a relative path without .."),
                "{message}"
            );
        }
    }
    let text = std::fs::read_to_string(absolute).unwrap();
    assert_eq!(text, "a\n1\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_symlink_that_leads_outside_is_not_followed() {
    let test_dir = TestDir::new();
    std::fs::write(test_dir.outer.path().join("secret.csv"), "a\n1\n").unwrap();
    std::os::unix::fs::symlink("../secret.csv", test_dir.path("file.csv")).unwrap();
    std::os::unix::fs::symlink("..", test_dir.path("folder")).unwrap();
    std::os::unix::fs::symlink(test_dir.outer.path(), test_dir.path("absolute")).unwrap();
    for path in ["file.csv", "folder/secret.csv", "absolute/secret.csv"] {
        let message = test_dir.message(test_dir.read(json!({"path": path})).await);
        assert_eq!(
            message,
            format!("file {path} leads outside the data directory")
        );
    }
    for path in ["folder/out.csv", "absolute/out.csv"] {
        let message = test_dir.message(
            test_dir
                .store(json!({"path": path}), json!([{"a": 2}]))
                .await,
        );
        assert_eq!(
            message,
            format!("file {path} leads outside the data directory")
        );
    }
    // A symlink is replaced, never written through.
    test_dir
        .store(json!({"path": "file.csv"}), json!([{"a": 2}]))
        .await
        .unwrap();
    assert_eq!(test_dir.text("file.csv"), "a\n2\n");
    let outside = std::fs::read_to_string(test_dir.outer.path().join("secret.csv")).unwrap();
    assert_eq!(outside, "a\n1\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_symlink_inside_is_followed() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "a\n1\n");
    std::os::unix::fs::symlink("a.csv", test_dir.path("b.csv")).unwrap();
    test_dir.read(json!({"path": "b.csv"})).await.unwrap();
}

#[tokio::test]
async fn a_missing_file_and_a_folder_may_become_files() {
    let test_dir = TestDir::new();
    std::fs::create_dir(test_dir.path("folder.csv")).unwrap();
    assert_eq!(
        test_dir.retryable(test_dir.read(json!({"path": "none.csv"})).await),
        "file none.csv does not exist in the data directory"
    );
    assert_eq!(
        test_dir.retryable(test_dir.read(json!({"path": "none/a.csv"})).await),
        "file none/a.csv does not exist in the data directory"
    );
    assert_eq!(
        test_dir.retryable(test_dir.read(json!({"path": "folder.csv"})).await),
        "folder.csv is not a file"
    );
    assert_eq!(
        test_dir.retryable(
            test_dir
                .store(json!({"path": "folder.csv"}), json!([{"a": 1}]))
                .await
        ),
        "file folder.csv cannot be written: is a directory"
    );
    assert!(super::DataDir::open(test_dir.path("none")).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_named_pipe_is_refused_without_waiting_for_its_writer() {
    let test_dir = TestDir::new();
    let made = std::process::Command::new("mkfifo")
        .arg(test_dir.path("pipe.csv"))
        .status();
    assert!(made.unwrap().success());
    // The path may be a file when it is checked and a pipe when it is opened, so the open itself
    // must not wait.
    let opened = test_dir.dir.open_file("pipe.csv");
    assert_eq!(opened.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    assert_eq!(
        test_dir.retryable(test_dir.read(json!({"path": "pipe.csv"})).await),
        "pipe.csv is not a file"
    );
}
