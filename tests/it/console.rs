//! The console as hosts mount it: where its page, its files and the API are, and what a browser may
//! do with them.
//!
//! What the page does in a browser is tested in `console/tests`.

use axum::Router;
use bytes::Bytes;
use floret::executor::{Ctx, ExecutorError};
use floret::testing::memory;
use floret::{Access, ConsoleService, Floret, Pipeline};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tower::ServiceExt;

async fn step(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn floret() -> Floret {
    let pipeline = Pipeline::new("daily").node("step", "step");
    memory()
        .node("step", step)
        .pipeline(pipeline)
        .start()
        .await
        .unwrap()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

async fn read<B>(response: http::Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

async fn ask(console: &ConsoleService, path: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = console.clone().oneshot(request("GET", path, headers)).await;
    read(answer.unwrap()).await
}

/// Returns the paths of the files that a page names.
fn files(page: &str) -> Vec<&str> {
    let quoted = page.split('"').filter(|text| text.starts_with("assets/"));
    quoted.collect()
}

#[tokio::test]
async fn the_page_finds_its_way_back_from_any_depth() {
    let console = floret().await.console(Access::allow_all());
    for (path, base) in [
        ("/overview", "./"),
        ("/runs/1", "../"),
        ("/runs/", "../"),
        ("/pipelines/daily/x", "../../"),
    ] {
        let page = ask(&console, path, &[]).await;
        assert_eq!(page.status, 200, "{path}");
        let expected = format!("<base href=\"{base}\">");
        assert!(page.text().contains(&expected), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn a_host_mounts_it_anywhere_and_strips_the_path_or_not() {
    let floret = floret().await;
    let console = || floret.console(Access::allow_all()).prefix("/ops/flows");
    let nested: Router = Router::new().nest_service("/ops/flows", console());
    let whole: Router = Router::new().fallback_service(console());
    for app in [nested, whole] {
        let get = async |path: &str| {
            read(
                app.clone()
                    .oneshot(request("GET", path, &[]))
                    .await
                    .unwrap(),
            )
            .await
        };
        let page = get("/ops/flows/runs/1").await;
        assert!(page.text().contains("<base href=\"../\">"));
        for file in files(page.text()) {
            assert_eq!(
                get(&format!("/ops/flows/{file}")).await.status,
                200,
                "{file}"
            );
        }
        assert_eq!(get("/ops/flows/api/pipelines/daily").await.status, 200);
        for root in ["/ops/flows", "/ops/flows/"] {
            let stub = get(root).await;
            assert_eq!(stub.status, 200);
            assert!(stub.text().contains("/overview"), "{root}");
        }
        let trigger = request("POST", "/ops/flows/api/pipelines/daily/run", &[]);
        let started = read(app.clone().oneshot(trigger).await.unwrap()).await;
        assert_eq!(started.status, 202);
        let location = started.header("location");
        assert!(location.starts_with("/ops/flows/api/runs/"), "{location}");
    }
}

#[tokio::test]
async fn files_are_kept_for_ever_and_the_page_is_asked_for_each_time() {
    let console = floret().await.console(Access::allow_all());
    let page = ask(&console, "/overview", &[]).await;
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("vary"), "accept-encoding");
    let tag = page.header("etag").to_owned();
    let again = ask(&console, "/pipelines", &[("if-none-match", &tag)]).await;
    assert_eq!(
        (again.status, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(again.header("etag"), tag);
    let deeper = ask(&console, "/runs/1", &[("if-none-match", &tag)]).await;
    assert_eq!(deeper.status, 200, "another base is another page");

    let files = files(page.text());
    // The icon, the style, the script, and what the script imports at once.
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let plain = ask(&console, &format!("/{file}"), &[]).await;
        assert_eq!(
            plain.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(plain.header("content-encoding"), "");
        let gzip = ask(
            &console,
            &format!("/{file}"),
            &[("accept-encoding", "br, gzip")],
        )
        .await;
        assert_eq!(gzip.header("content-encoding"), "gzip");
        assert_eq!(gzip.header("vary"), "accept-encoding");
        assert_eq!(gzip.header("content-length"), gzip.body.len().to_string());
        assert!(gzip.body.len() < plain.body.len(), "{file}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_never_the_page() {
    let console = floret().await.console(Access::allow_all());
    let deep = "/a".repeat(40);
    for path in [
        "/assets",
        "/assets/",
        "/assets/app.js",
        "/assets/../overview",
        &deep,
    ] {
        let answer = ask(&console, path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(ask(&console, "/api/nothing", &[]).await.status, 404);
    assert_eq!(ask(&console, "/api", &[]).await.status, 404);
}

#[tokio::test]
async fn a_browser_may_load_nothing_else() {
    let console = floret().await.console(Access::allow_all());
    let page = ask(&console, "/overview", &[]).await;
    let file = format!("/{}", files(page.text())[0]);
    for path in ["/overview", "/", "/assets/nothing", &file] {
        let answer = ask(&console, path, &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'; script-src '")
        );
        assert!(
            answer
                .header("content-security-policy")
                .ends_with("; frame-ancestors 'self'")
        );
    }
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types floret; frame-ancestors 'self'"
    );
    let framed = console.frame_ancestors("'self' https://portal.example.com");
    let answer = ask(&framed, "/overview", &[]).await;
    let policy = answer.header("content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors 'self' https://portal.example.com"),
        "{policy}"
    );
    let refused = framed.frame_ancestors("*; script-src *");
    let answer = ask(&refused, "/overview", &[]).await;
    assert_eq!(answer.header("content-security-policy"), policy);
}

#[tokio::test]
async fn the_host_names_its_page_its_links_and_its_login() {
    let console = floret().await.console(Access::allow_all());
    let console = console
        .title("Flows & <more>")
        .links([("Shop", "https://shop.example.com/?a=\"b\"")])
        .login_url("/login?next={title}");
    let page = ask(&console, "/overview", &[]).await;
    let text = page.text();
    assert!(
        text.contains("<title>Flows &amp; &lt;more&gt;</title>"),
        "{text}"
    );
    assert!(
        text.contains("{&quot;name&quot;:&quot;Shop&quot;")
            || text.contains("&#123;&quot;name&quot;:&quot;Shop&quot;"),
        "{text}"
    );
    assert!(text.contains("/login?next=&#123;title&#125;"), "{text}");
    assert_eq!(text.matches("<script").count(), 1);
}

#[tokio::test]
async fn the_checks_of_the_api_hold_for_the_page() {
    let console = floret().await.console(Access::allow_all());
    let send =
        async |console: &ConsoleService, method: &str, path: &str, headers: &[(&str, &str)]| {
            let answer = console
                .clone()
                .oneshot(request(method, path, headers))
                .await;
            read(answer.unwrap()).await
        };
    let head = send(&console, "HEAD", "/overview", &[]).await;
    let get = send(&console, "GET", "/overview", &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), get.body.len().to_string());

    let posted = send(&console, "POST", "/overview", &[]).await;
    assert_eq!(
        (posted.status.as_u16(), posted.header("allow")),
        (405, "GET, HEAD")
    );
    let foreign = [("host", "a.example"), ("origin", "https://evil.example")];
    assert_eq!(
        send(&console, "POST", "/overview", &foreign).await.status,
        403
    );
    let console = console.allow_host("localhost");
    for path in ["/", "/overview", "/assets/x", "/api/health"] {
        let evil = send(&console, "GET", path, &[("host", "evil.example")]).await;
        assert_eq!(evil.status, 421, "{path}");
    }
    assert_eq!(
        send(&console, "GET", "/overview", &[("host", "localhost")])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_page_is_for_everybody_and_the_data_for_those_with_access() {
    let console = floret().await.console(Access::from_extensions());
    assert_eq!(ask(&console, "/runs", &[]).await.status, 200);
    assert_eq!(ask(&console, "/api/runs", &[]).await.status, 401);
    let viewer = floret().await.console(Access::read_only());
    assert_eq!(ask(&viewer, "/api/runs", &[]).await.status, 200);
    let trigger = request("POST", "/api/pipelines/daily/run", &[]);
    assert_eq!(viewer.oneshot(trigger).await.unwrap().status(), 403);
}
