// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-3411fa2576.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-3411fa2576.css"),
        gzip: include_bytes!("app-3411fa2576.css.gz"),
    },
    Asset {
        name: "app-RC36UEBH.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-RC36UEBH.js"),
        gzip: include_bytes!("app-RC36UEBH.js.gz"),
    },
    Asset {
        name: "chunk-IKQJVMHX.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-IKQJVMHX.js"),
        gzip: include_bytes!("chunk-IKQJVMHX.js.gz"),
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
        name: "more-YCP2ANVH.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-YCP2ANVH.js"),
        gzip: include_bytes!("more-YCP2ANVH.js.gz"),
    },
    Asset {
        name: "more-db00c882cd.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-db00c882cd.css"),
        gzip: include_bytes!("more-db00c882cd.css.gz"),
    },
];
