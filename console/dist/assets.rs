// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-6d651184cf.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-6d651184cf.css"),
        gzip: include_bytes!("app-6d651184cf.css.gz"),
    },
    Asset {
        name: "app-WC5NPHJN.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-WC5NPHJN.js"),
        gzip: include_bytes!("app-WC5NPHJN.js.gz"),
    },
    Asset {
        name: "chunk-SI3IHNKV.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-SI3IHNKV.js"),
        gzip: include_bytes!("chunk-SI3IHNKV.js.gz"),
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
        name: "more-07a83f2d18.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-07a83f2d18.css"),
        gzip: include_bytes!("more-07a83f2d18.css.gz"),
    },
    Asset {
        name: "more-H7KDYTS5.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-H7KDYTS5.js"),
        gzip: include_bytes!("more-H7KDYTS5.js.gz"),
    },
];
