// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-78aa845279.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-78aa845279.css"),
        gzip: include_bytes!("app-78aa845279.css.gz"),
    },
    Asset {
        name: "app-CBYBQDCO.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-CBYBQDCO.js"),
        gzip: include_bytes!("app-CBYBQDCO.js.gz"),
    },
    Asset {
        name: "chunk-6LOUPPA6.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-6LOUPPA6.js"),
        gzip: include_bytes!("chunk-6LOUPPA6.js.gz"),
    },
    Asset {
        name: "icon-892090ee5f.svg",
        content_type: "image/svg+xml",
        plain: include_bytes!("icon-892090ee5f.svg"),
        gzip: include_bytes!("icon-892090ee5f.svg.gz"),
    },
    Asset {
        name: "layout-b0a048563e.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("layout-b0a048563e.js"),
        gzip: include_bytes!("layout-b0a048563e.js.gz"),
    },
    Asset {
        name: "more-5537f5f292.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-5537f5f292.css"),
        gzip: include_bytes!("more-5537f5f292.css.gz"),
    },
    Asset {
        name: "more-W4R6UDZ6.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-W4R6UDZ6.js"),
        gzip: include_bytes!("more-W4R6UDZ6.js.gz"),
    },
];
