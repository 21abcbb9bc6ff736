// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-3411fa2576.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-3411fa2576.css"),
        gzip: include_bytes!("app-3411fa2576.css.gz"),
    },
    Asset {
        name: "app-P4YAG7CM.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-P4YAG7CM.js"),
        gzip: include_bytes!("app-P4YAG7CM.js.gz"),
    },
    Asset {
        name: "chunk-UWBTM3SD.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-UWBTM3SD.js"),
        gzip: include_bytes!("chunk-UWBTM3SD.js.gz"),
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
        name: "more-3fc545c945.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-3fc545c945.css"),
        gzip: include_bytes!("more-3fc545c945.css.gz"),
    },
    Asset {
        name: "more-6GX47I6L.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-6GX47I6L.js"),
        gzip: include_bytes!("more-6GX47I6L.js.gz"),
    },
];
