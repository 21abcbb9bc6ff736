//! Nothing outside of the data directory is read or written, and no message tells where it is.

use serde_json::json;

use super::NodeIndex;

#[tokio::test]
async fn a_path_that_leads_outside_is_refused() {
    let place = NodeIndex::new();
    std::fs::write(place.outer.path().join("secret.csv"), "a\n1\n").unwrap();
    let absolute = place.outer.path().join("secret.csv");
    for path in [
        "../secret.csv",
        "x/../../secret.csv",
        "/secret.csv",
        absolute.to_str().unwrap(),
    ] {
        for failed in [
            place.read(json!({"path": path})).await,
            place.store(json!({"path": path}), json!([{"a": 2}])).await,
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
    let place = NodeIndex::new();
    std::fs::write(place.outer.path().join("secret.csv"), "a\n1\n").unwrap();
    std::os::unix::fs::symlink("../secret.csv", place.path("file.csv")).unwrap();
    std::os::unix::fs::symlink("..", place.path("folder")).unwrap();
    std::os::unix::fs::symlink(place.outer.path(), place.path("absolute")).unwrap();
    for path in ["file.csv", "folder/secret.csv", "absolute/secret.csv"] {
        let message = place.message(place.read(json!({"path": path})).await);
        assert_eq!(
            message,
            format!("file {path} leads outside of the data directory")
        );
    }
    for path in ["folder/out.csv", "absolute/out.csv"] {
        let message = place.message(place.store(json!({"path": path}), json!([{"a": 2}])).await);
        assert_eq!(
            message,
            format!("file {path} leads outside of the data directory")
        );
    }
    // A link is replaced, never written through.
    place
        .store(json!({"path": "file.csv"}), json!([{"a": 2}]))
        .await
        .unwrap();
    assert_eq!(place.text("file.csv"), "a\n2\n");
    let outside = std::fs::read_to_string(place.outer.path().join("secret.csv")).unwrap();
    assert_eq!(outside, "a\n1\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_symlink_inside_is_followed() {
    let place = NodeIndex::new();
    place.write("a.csv", "a\n1\n");
    std::os::unix::fs::symlink("a.csv", place.path("b.csv")).unwrap();
    place.read(json!({"path": "b.csv"})).await.unwrap();
}

#[tokio::test]
async fn what_is_no_file_is_told() {
    let place = NodeIndex::new();
    std::fs::create_dir(place.path("folder.csv")).unwrap();
    assert_eq!(
        place.message(place.read(json!({"path": "none.csv"})).await),
        "file none.csv does not exist in the data directory"
    );
    assert_eq!(
        place.message(place.read(json!({"path": "folder.csv"})).await),
        "folder.csv is not a file"
    );
    assert_eq!(
        place.message(
            place
                .store(json!({"path": "folder.csv"}), json!([{}]))
                .await
        ),
        "file folder.csv cannot be written: is a directory"
    );
    assert!(super::DataDir::open(place.path("none")).is_err());
}
