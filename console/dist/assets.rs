// Written by `console/build.mjs`.
static ASSETS: &[Asset] = &[
    Asset {
        name: "app-2Z2KHMXI.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("app-2Z2KHMXI.js"),
        gzip: include_bytes!("app-2Z2KHMXI.js.gz"),
    },
    Asset {
        name: "app-6d651184cf.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("app-6d651184cf.css"),
        gzip: include_bytes!("app-6d651184cf.css.gz"),
    },
    Asset {
        name: "chunk-4W2RJ5CV.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("chunk-4W2RJ5CV.js"),
        gzip: include_bytes!("chunk-4W2RJ5CV.js.gz"),
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
        name: "more-3850dcd63b.css",
        content_type: "text/css; charset=utf-8",
        plain: include_bytes!("more-3850dcd63b.css"),
        gzip: include_bytes!("more-3850dcd63b.css.gz"),
    },
    Asset {
        name: "more-GKNDH6YV.js",
        content_type: "text/javascript; charset=utf-8",
        plain: include_bytes!("more-GKNDH6YV.js"),
        gzip: include_bytes!("more-GKNDH6YV.js.gz"),
    },
];
