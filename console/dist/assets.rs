// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-3411fa2576.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-3411fa2576.css"),
        gzip: include_bytes!("app-3411fa2576.css.gz"),
    },
    Asset {
        name: "app-QZ4TCKYZ.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-QZ4TCKYZ.js"),
        gzip: include_bytes!("app-QZ4TCKYZ.js.gz"),
    },
    Asset {
        name: "chunk-IHQ7MGD6.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-IHQ7MGD6.js"),
        gzip: include_bytes!("chunk-IHQ7MGD6.js.gz"),
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
        name: "more-3QXK64RB.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-3QXK64RB.js"),
        gzip: include_bytes!("more-3QXK64RB.js.gz"),
    },
    Asset {
        name: "more-db00c882cd.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-db00c882cd.css"),
        gzip: include_bytes!("more-db00c882cd.css.gz"),
    },
];
